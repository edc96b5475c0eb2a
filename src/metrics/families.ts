import type { PartitionLag } from '../pipeline/reading/lag.ts';
import type { RejectedBy } from '../pipeline/rejections.ts';
import type { Quality } from '../pipeline/training/summary.ts';
import type { Router } from '../shards/routing/router.ts';
import type { GraphSnapshot } from './graph.ts';
import { by, type Family, familiesOf, type Sample } from './scraped.ts';

const { counter, gauge, counters, gauges } = familiesOf<GraphSnapshot>();

/** The metric of every graph of the run, open or not. */
export const READY = [
  familiesOf<boolean>().gauge('twhin_ready', '1 while the graph is ready.', (ready) => Number(ready)),
];

/** A mean over recent edges: `known` where both ends were trained before, `new` where an end was not. */
function quality(name: string, help: string, figure: keyof Quality): Family<GraphSnapshot> {
  const samples = (entities: string, byRelation: Readonly<Record<string, Quality>>) =>
    Object.entries(byRelation).map(([relation, of]): Sample => [{ relation, entities }, of[figure]]);
  return gauges(name, help, ['relation', 'entities'], ({ knownByRelation, freshByRelation }) => [
    ...samples('known', knownByRelation),
    ...samples('new', freshByRelation),
  ]);
}

/** Every possible reason starts at 0: a counter that starts at its first event shows no increase for that event. */
function rejectionSamples(rejectedBy: RejectedBy, reasons: readonly string[]): Sample[] {
  return Object.entries(rejectedBy).flatMap(([topic, byReason]) =>
    reasons.map((reason): Sample => [{ topic, reason }, byReason[reason] ?? 0]),
  );
}

function lagSamples(lag: readonly PartitionLag[], of: 'records' | 'seconds'): Sample[] {
  return lag.map((each) => [{ topic: each.topic, partition: `${each.partition}` }, each[of]]);
}

const STREAM = [
  counter(
    'twhin_events_consumed_total',
    'Events read, over the life of the store.',
    ({ events }) => events.consumed,
  ),
  counter(
    'twhin_events_duplicate_total',
    'Events that changed nothing, over the life of the store.',
    ({ events }) => events.duplicate,
  ),
  counter(
    'twhin_events_late_total',
    'Events older than the newest known event of their edge, over the life of the store.',
    ({ events }) => events.late,
  ),
  counters(
    'twhin_events_rejected_total',
    'Events rejected, by topic and reason, since the process began.',
    ['topic', 'reason'],
    ({ watched, rejectedBy }) => rejectionSamples(rejectedBy, watched.rejections),
  ),
  gauges(
    'twhin_lag_records',
    'Offsets between the last applied record and the end of the partition.',
    ['topic', 'partition'],
    ({ lag }) => lagSamples(lag, 'records'),
  ),
  gauges(
    'twhin_lag_seconds',
    'Age of the newest applied record while records wait, else 0.',
    ['topic', 'partition'],
    ({ lag }) => lagSamples(lag, 'seconds'),
  ),
  gauge('twhin_queue_bytes', 'Records read ahead of training, in bytes.', ({ queue }) => queue.bytes),
];

const TRAINING = [
  counter('twhin_edges_trained_total', 'Edges trained since the process began.', ({ trained }) => trained),
  counter('twhin_steps_total', 'Training steps over the life of the store.', ({ step }) => step),
  gauges('twhin_loss', 'Recent mean loss of an anchor.', ['relation'], ({ lossByRelation }) =>
    by('relation', lossByRelation),
  ),
  quality(
    'twhin_mrr',
    'Recent mean reciprocal rank of edges, each ranked before it is learned; a shard ranks those that it trains among its own entities.',
    'mrr',
  ),
  quality(
    'twhin_hits10',
    'Recent share of edges ranked among the first ten, each ranked before it is learned.',
    'hits10',
  ),
  quality(
    'twhin_mrr_popularity',
    'Mean reciprocal rank of the same edges by popularity: the baseline.',
    'popularityMrr',
  ),
  quality('twhin_mrr_chance', 'Mean reciprocal rank of the same edges by chance.', 'randomMrr'),
  quality('twhin_mrr_edges', 'Edges behind these means; older edges count less.', 'count'),
  counter(
    'twhin_entities_started_total',
    'Entities that got their first vector since the process began.',
    ({ started }) => started,
  ),
];

const STORE = [
  gauges('twhin_entities', 'Entities with a vector.', ['type'], ({ entities }) => by('type', entities)),
  gauges('twhin_edges', 'Live edges.', ['relation'], ({ edges }) => by('relation', edges)),
  gauge('twhin_rows', 'Rows of the table in use.', ({ rows, freeRows }) => rows - freeRows),
  gauge('twhin_rows_free', 'Rows the table can still take.', ({ watched, rows, freeRows }) =>
    Math.max(0, watched.maxRows - rows + freeRows),
  ),
  gauge(
    'twhin_table_bytes',
    'Memory of the table: all rows that were ever in use, and the workspace.',
    ({ watched, rows }) => watched.tableBytes(rows),
  ),
  gauges('twhin_store_memory_bytes', 'Memory of the store, by part.', ['part'], ({ storeMemory }) =>
    by('part', { ...storeMemory }),
  ),
  counter('twhin_commits_total', 'Commits since the process began.', ({ commits }) => commits),
  gauge('twhin_commit_age_seconds', 'Age of the last commit of this process.', ({ committedAt, now }) =>
    since(now, committedAt),
  ),
  gauge('twhin_store_bytes', "Size of all files of the graph's stores.", ({ disk }) => disk?.used),
  gauge('twhin_disk_free_bytes', 'Free space on the disk of the stores.', ({ disk }) => disk?.free),
  gauge('twhin_disk_size_bytes', 'Size of the disk of the stores.', ({ disk }) => disk?.size),
];

const PUBLISHING = [
  counter(
    'twhin_vectors_published_total',
    'Vectors and tombstones acknowledged since the process began.',
    ({ published }) => published,
  ),
  counter(
    'twhin_publish_retries_total',
    'Sends that failed and were retried, since the process began.',
    ({ retries }) => retries,
  ),
  counters(
    'twhin_publish_failures_total',
    'Sends that failed, retried or not, by error code, since the process began.',
    ['code'],
    ({ failures }) => by('code', failures),
  ),
  gauge('twhin_outbox_vectors', 'Vectors and tombstones not yet acknowledged.', ({ outbox }) => outbox),
  gauge(
    'twhin_outbox_limit_vectors',
    'Number of waiting vectors at which reading pauses.',
    ({ maxOutbox }) => maxOutbox,
  ),
  gauge(
    'twhin_outbox_oldest_age_seconds',
    'Time since the arrival of the oldest record whose vector is not acknowledged, else 0.',
    ({ oldest, now }) => since(now, oldest) ?? 0,
  ),
  gauges('twhin_move', 'Recent path of a vector between two publications.', ['type', 'stat'], ({ moved }) =>
    Object.entries(moved).flatMap(([type, { mean, p99 }]): Sample[] => [
      [{ type, stat: 'mean' }, mean],
      [{ type, stat: 'p99' }, p99],
    ]),
  ),
  gauges('twhin_norm', 'Recent mean length of published vectors.', ['type'], ({ moved }) =>
    Object.entries(moved).map(([type, { norm }]) => [{ type }, norm]),
  ),
];

/** What a shard has counted since the process began: key, the middle of the name, and what is counted. */
const EXCHANGED = [
  ['sentGradients', 'gradients_sent', 'Gradients sent to the other shards that own their rows'],
  ['sentVectors', 'vectors_sent', 'Vectors sent to other shards that hold copies'],
  ['sentBytes', 'sent_bytes', 'Bytes of parcels sent to other shards'],
  ['receivedGradients', 'gradients_received', 'Gradients received from other shards, repeated ones left out'],
  ['receivedVectors', 'vectors_received', 'Vectors received from other shards'],
  ['repeatedGradients', 'gradients_repeated', 'Gradients that had been received before and were not applied'],
  ['strayGradients', 'gradients_stray', 'Gradients of entities that this shard does not know'],
  ['unreadable', 'unreadable_records', 'Records of the exchange topic that are no parcel'],
  ['asked', 'vectors_asked', 'Vectors of copies asked of their owners because they had not come'],
] as const;

/** Only the shards of a graph have these. */
const EXCHANGE = [
  ...EXCHANGED.map(([key, name, what]) =>
    counter(
      `twhin_exchange_${name}_total`,
      `${what}, since the process began.`,
      ({ exchange }) => exchange?.[key],
    ),
  ),
  gauge('twhin_exchange_copies', "Copies of other shards' entities.", ({ exchange }) => exchange?.copies),
  gauge(
    'twhin_exchange_waiting_edges',
    'Edges that wait for the vector of their far end.',
    ({ exchange }) => exchange?.waiting,
  ),
  gauges(
    'twhin_exchange_peer_silence_seconds',
    'Time since the newest parcel of another shard was written, or since the process began to listen.',
    ['peer'],
    ({ exchange, now }) =>
      (exchange?.peers ?? []).map(({ shard, silentSince }) => [
        { peer: `${shard}` },
        since(now, silentSince),
      ]),
  ),
  gauges(
    'twhin_exchange_vector_age_seconds',
    'Age of vectors of other shards when they are applied, over recent parcels.',
    ['stat'],
    ({ exchange }) =>
      Object.entries(exchange?.vectorAgeMs ?? {}).map(([stat, ms]) => [
        { stat },
        ms === undefined ? undefined : ms / 1000,
      ]),
  ),
];

/** The metrics of a graph once its store is loaded. */
export const LOADED = [...STREAM, ...TRAINING, ...STORE, ...PUBLISHING, ...EXCHANGE];

/** The metrics of a graph from its opening on. */
export const OPENED = [
  gauges('twhin_phase', '1 for the current phase of the graph.', ['phase'], ({ phase }) => [[{ phase }, 1]]),
  gauges(
    'twhin_graph_info',
    'Always 1; the labels name the kernel, the model, and the training run of the vectors.',
    ['kernel', 'fingerprint', 'space', 'epoch'],
    ({ watched: { kernel, fingerprint }, writer }) => [
      [{ kernel, fingerprint, space: writer?.space ?? '', epoch: `${writer?.epoch ?? ''}` }, 1],
    ],
  ),
];

/** Seconds from `at` to `now`, both epoch ms; undefined if `at` is. */
function since(now: number, at: number | undefined): number | undefined {
  return at === undefined ? undefined : Math.max(0, now - at) / 1000;
}

export type WatchedRouter = Pick<
  Router,
  'graph' | 'counts' | 'rejections' | 'codes' | 'partitions' | 'retries' | 'lag' | 'unready'
>;

const router = familiesOf<WatchedRouter>();

/** The metrics of routers; none of them has a sample where every graph is whole. */
export const ROUTER = [
  router.gauge(
    'twhin_router_ready',
    '1 while the process routes what it has to, or has nothing to route.',
    (each) => Number(each.unready().length === 0),
  ),
  router.gauge(
    'twhin_router_partitions',
    'Partitions of event topics that this process routes.',
    ({ partitions }) => partitions ?? 0,
  ),
  router.counter(
    'twhin_router_events_total',
    'Events read, since the process began.',
    ({ counts }) => counts.records,
  ),
  router.counters(
    'twhin_router_rejected_total',
    'Events rejected, by topic and reason, since the process began.',
    ['topic', 'reason'],
    ({ rejections, codes }) => rejectionSamples(rejections.byTopic(), codes),
  ),
  router.counter(
    'twhin_router_sent_total',
    'Events sent to shards, since the process began; an event that concerns two shards counts twice.',
    ({ counts }) => counts.sent,
  ),
  router.counter(
    'twhin_router_sent_bytes_total',
    'Bytes of the records that were sent to shards, since the process began.',
    ({ counts }) => counts.bytes,
  ),
  router.counter(
    'twhin_router_retries_total',
    'Sends that failed and were retried, since the process began.',
    ({ retries }) => retries,
  ),
  router.gauges(
    'twhin_router_lag_records',
    'Offsets of a partition that this process routes and that not every shard has been sent.',
    ['topic', 'partition'],
    (each) => lagSamples(each.lag(), 'records'),
  ),
];
