import type { Quality } from '../pipeline/training/summary.ts';
import { by, counter, type Family, gauge, one, type Sample, since } from './family.ts';

/** 1 where a graph can be relied on. */
export const READY = 'twhin_ready';

/** Of recent edges, known ones (both ends trained before) and fresh ones (an end is new). */
function quality(name: string, help: string, pick: (quality: Quality) => number): Family {
  return gauge(name, help, ['relation', 'entities'], ({ progress }) => [
    ...ofEntities('known', progress.knownByRelation, pick),
    ...ofEntities('new', progress.freshByRelation, pick),
  ]);
}

function ofEntities(
  entities: string,
  byRelation: Readonly<Record<string, Quality>>,
  pick: (quality: Quality) => number,
): Sample[] {
  return Object.entries(byRelation).map(([relation, of]) => [{ relation, entities }, pick(of)]);
}

const STREAM: readonly Family[] = [
  counter('twhin_events_consumed_total', 'Events read, over the life of the store.', [], ({ progress }) =>
    one(progress.events.consumed),
  ),
  counter(
    'twhin_events_duplicate_total',
    'Events that said what was known, over the life of the store.',
    [],
    ({ progress }) => one(progress.events.duplicate),
  ),
  counter(
    'twhin_events_stale_total',
    'Events older than what is known of their edge, over the life of the store.',
    [],
    ({ progress }) => one(progress.events.late),
  ),
  counter(
    'twhin_events_rejected_total',
    'Events that could not be used, by reason, since the process began.',
    ['reason'],
    // From 0 on, where it can occur: of what begins at its first event, that one is no increase.
    ({ graph, progress }) =>
      by('reason', {
        ...Object.fromEntries(graph.rejections.map((code) => [code, 0])),
        ...progress.rejectedBy,
      }),
  ),
  gauge(
    'twhin_lag_records',
    'Offsets between what was applied and the end of the partition.',
    ['topic', 'partition'],
    ({ lag }) => lag.map(({ topic, partition, records }) => [{ topic, partition: `${partition}` }, records]),
  ),
  gauge(
    'twhin_lag_seconds',
    'Age of the newest record applied where others wait behind it, else 0.',
    ['topic', 'partition'],
    ({ lag }) => lag.map(({ topic, partition, seconds }) => [{ topic, partition: `${partition}` }, seconds]),
  ),
  gauge('twhin_queue_bytes', 'Records read ahead of training, in bytes.', [], ({ progress }) =>
    one(progress.queue.bytes),
  ),
];

const TRAINING: readonly Family[] = [
  counter('twhin_edges_trained_total', 'Edges trained since the process began.', [], ({ progress }) =>
    one(progress.trained),
  ),
  counter('twhin_steps_total', 'Training steps over the life of the store.', [], ({ progress }) =>
    one(progress.step),
  ),
  gauge('twhin_loss', 'Loss of an anchor, recent mean.', ['relation'], ({ progress }) =>
    by('relation', progress.lossByRelation),
  ),
  quality('twhin_mrr', 'Mean reciprocal rank of edges before they are learned, recent.', ({ mrr }) => mrr),
  quality(
    'twhin_hits10',
    'Share of edges ranked in the first ten before they are learned, recent.',
    ({ hits10 }) => hits10,
  ),
  quality(
    'twhin_mrr_popularity',
    'The same edges ranked by popularity: the line to beat.',
    ({ popularityMrr }) => popularityMrr,
  ),
  quality('twhin_mrr_chance', 'The same edges ranked by chance.', ({ randomMrr }) => randomMrr),
  quality('twhin_mrr_edges', 'Edges that these means rest on, old ones counting less.', ({ count }) => count),
  counter(
    'twhin_entities_started_total',
    'Entities that got a first vector since the process began, by how.',
    ['init'],
    ({ progress }) => by('init', progress.started),
  ),
];

const STORE: readonly Family[] = [
  gauge('twhin_entities', 'Entities with a vector.', ['type'], ({ progress }) =>
    by('type', progress.entities),
  ),
  gauge('twhin_edges', 'Live edges.', ['relation'], ({ progress }) => by('relation', progress.edges)),
  gauge('twhin_rows', 'Rows of the table in use.', [], ({ progress }) =>
    one(progress.rows - progress.freeRows),
  ),
  gauge('twhin_rows_free', 'Rows the table can still take.', [], ({ graph, progress }) =>
    one(Math.max(0, graph.maxRows - progress.rows + progress.freeRows)),
  ),
  gauge(
    'twhin_table_bytes',
    'Memory of the table: its rows that were ever in use, and the workspace.',
    [],
    ({ graph, progress }) => one(graph.tableBytes(progress.rows)),
  ),
  gauge('twhin_store_memory_bytes', 'Memory of the store, by part.', ['part'], ({ storeMemory }) =>
    by('part', { ...storeMemory }),
  ),
  counter('twhin_commits_total', 'Commits since the process began.', [], ({ progress }) =>
    one(progress.commits),
  ),
  gauge('twhin_commit_age_seconds', 'Time since the last commit of this process.', [], ({ progress, now }) =>
    one(since(now, progress.committedAt)),
  ),
  gauge('twhin_store_bytes', "Files of the graph's stores.", [], ({ disk }) => one(disk?.used)),
  gauge('twhin_disk_free_bytes', 'Free on the disk of the stores.', [], ({ disk }) => one(disk?.free)),
  gauge('twhin_disk_size_bytes', 'Size of the disk of the stores.', [], ({ disk }) => one(disk?.size)),
];

const PUBLISHING: readonly Family[] = [
  counter(
    'twhin_vectors_published_total',
    'Vectors and tombstones acknowledged since the process began.',
    [],
    ({ progress }) => one(progress.published),
  ),
  counter(
    'twhin_publish_retries_total',
    'Sends that failed and were made again, since the process began.',
    [],
    ({ progress }) => one(progress.retries),
  ),
  counter(
    'twhin_publish_failures_total',
    'Sends that failed, made again or not, by why, since the process began.',
    ['code'],
    ({ progress }) => by('code', progress.failures),
  ),
  gauge('twhin_outbox_vectors', 'Vectors and tombstones not yet acknowledged.', [], ({ progress }) =>
    one(progress.outbox),
  ),
  gauge('twhin_outbox_limit_vectors', 'Vectors that may wait before reading pauses.', [], ({ progress }) =>
    one(progress.maxOutbox),
  ),
  gauge(
    'twhin_outbox_oldest_age_seconds',
    'Since the oldest record arrived that waits for its vector, else 0.',
    [],
    ({ progress, now }) => one(since(now, progress.oldest) ?? 0),
  ),
  gauge(
    'twhin_move',
    'Path of a vector between two publications, recent.',
    ['type', 'stat'],
    ({ progress }) =>
      Object.entries(progress.moved).flatMap(([type, { mean, p99 }]): Sample[] => [
        [{ type, stat: 'mean' }, mean],
        [{ type, stat: 'p99' }, p99],
      ]),
  ),
  gauge('twhin_norm', 'Length of published vectors, recent mean.', ['type'], ({ progress }) =>
    Object.entries(progress.moved).map(([type, { norm }]) => [{ type }, norm]),
  ),
];

const ALWAYS: readonly Family[] = [
  gauge(READY, '1 where the graph can be relied on now.', [], ({ ready }) => one(Number(ready))),
  gauge('twhin_phase', '1 for the phase that the graph is in.', ['phase'], ({ progress }) => [
    [{ phase: progress.phase }, 1],
  ]),
  gauge(
    'twhin_graph_info',
    '1; what trains the graph, and which run of training its vectors are of.',
    ['kernel', 'fingerprint', 'space', 'epoch'],
    ({ graph: { kernel, fingerprint }, progress: { writer } }) => [
      [{ kernel, fingerprint, space: writer?.space ?? '', epoch: `${writer?.epoch ?? ''}` }, 1],
    ],
  ),
];

export const FAMILIES: readonly Family[] = [
  ...STREAM,
  ...TRAINING,
  ...STORE,
  ...PUBLISHING,
  ...ALWAYS.map((family) => ({ ...family, always: true })),
];
