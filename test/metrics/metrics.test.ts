import { readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { BadEvent } from '../../src/errors/errors.ts';
import { LOADED, OPENED, READY, ROUTER, type WatchedRouter } from '../../src/metrics/families.ts';
import type { WatchedGraph } from '../../src/metrics/graph.ts';
import { Metrics } from '../../src/metrics/metrics.ts';
import type { Progress } from '../../src/pipeline/progress.ts';
import type { PartitionLag } from '../../src/pipeline/reading/lag.ts';
import { freshFolder } from '../fresh-folder.ts';
import { routerOf } from './metrics-fixture.ts';

const QUALITY = { count: 9, mrr: 0.25, hits10: 0.5, popularityMrr: 0.125, randomMrr: 0.0625 };
const PROGRESS: Progress = {
  graph: 'follow',
  phase: 'running',
  events: { consumed: 100, rejected: 7, duplicate: 3, late: 2 },
  rejectedBy: { 'twhin.follow': { 'not-json': 5, 'too-large': 2 }, 'twhin.erasure': {} },
  rejected: [],
  entities: { user: 40, ad: 2 },
  rows: 50,
  freeRows: 0,
  started: 42,
  edges: { follows: 60 },
  step: 12,
  committedStep: 12,
  trained: 88,
  loss: 3.5,
  lossByRelation: { follows: 3.5 },
  known: QUALITY,
  fresh: undefined,
  knownByRelation: { follows: QUALITY },
  freshByRelation: { follows: { ...QUALITY, count: 3, mrr: 0.2 } },
  moved: { user: { mean: 0.1, p99: 0.4, norm: 0.9 }, ad: { mean: undefined, p99: undefined, norm: 1 } },
  published: 33,
  retries: 1,
  failures: { refused: 1, fenced: 0 },
  outbox: 4,
  maxOutbox: 700,
  oldest: 8_500,
  commits: 6,
  committedAt: 9_000,
  writer: { space: 'abc', epoch: 2 },
  latencyMs: { p50: 10, p99: 20 },
  queue: { records: 1, bytes: 321 },
  exchange: {
    sentGradients: 71,
    sentVectors: 72,
    sentBytes: 73,
    receivedGradients: 74,
    receivedVectors: 75,
    repeatedGradients: 76,
    strayGradients: 77,
    unreadable: 78,
    waiting: 79,
    copies: 82,
    asked: 81,
    peers: [
      { shard: 0, heardAt: 7_500, silentSince: 7_500 },
      { shard: 2, heardAt: undefined, silentSince: 4_000 },
    ],
    vectorAgeMs: { p50: 250, p99: undefined },
  },
};
const LAG: PartitionLag[] = [
  { topic: 'twhin.follow', partition: 0, records: 0, seconds: 0 },
  { topic: 'twhin.follow', partition: 1, records: 9, seconds: 4.5 },
  { topic: 'twhin.follow', partition: 2, records: 3, seconds: undefined },
];

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

function setUp(of: Partial<WatchedGraph> = {}) {
  const graph: WatchedGraph = {
    name: 'follow',
    kernel: 'wasm',
    fingerprint: 'f1',
    maxRows: 1_000,
    folder,
    progress: () => PROGRESS,
    lag: () => LAG,
    unready: async () => [],
    rejections: ['not-json', 'too-large', 'empty-id'],
    tableBytes: (rows) => 100 + 8 * rows,
    storeMemory: async () => ({ cache: 11, memtables: 12, readers: 13 }),
    ...of,
  };
  const graphs = [graph];
  const routers: WatchedRouter[] = [];
  const metrics = new Metrics({
    version: '9.9.9',
    names: ['follow', 'other'],
    graphs: () => graphs,
    routers: () => routers,
    clock: () => 10_000,
  });
  return { graphs, routers, metrics };
}

/** Samples of a metrics text, by name with labels. */
function read(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))] as const;
    }),
  );
}

describe('metrics', () => {
  test('show the values of the graph', async () => {
    await writeFile(join(folder, 'file'), 'x'.repeat(1234));
    const { metrics } = setUp();
    // The system counts time in ticks: a test that is over within one would see none.
    const before = process.cpuUsage();
    while (process.cpuUsage(before).user === 0);
    const samples = read(await metrics.render());
    const graph = 'graph="follow"';
    const expected: Record<string, number> = {
      [`twhin_events_consumed_total{${graph}}`]: 100,
      [`twhin_events_duplicate_total{${graph}}`]: 3,
      [`twhin_events_late_total{${graph}}`]: 2,
      [`twhin_events_rejected_total{${graph},topic="twhin.follow",reason="not-json"}`]: 5,
      [`twhin_events_rejected_total{${graph},topic="twhin.follow",reason="too-large"}`]: 2,
      // Possible reasons that did not occur.
      [`twhin_events_rejected_total{${graph},topic="twhin.follow",reason="empty-id"}`]: 0,
      [`twhin_events_rejected_total{${graph},topic="twhin.erasure",reason="not-json"}`]: 0,
      [`twhin_lag_records{${graph},topic="twhin.follow",partition="1"}`]: 9,
      [`twhin_lag_seconds{${graph},topic="twhin.follow",partition="1"}`]: 4.5,
      [`twhin_lag_records{${graph},topic="twhin.follow",partition="2"}`]: 3,
      [`twhin_queue_bytes{${graph}}`]: 321,
      [`twhin_edges_trained_total{${graph}}`]: 88,
      [`twhin_steps_total{${graph}}`]: 12,
      [`twhin_loss{${graph},relation="follows"}`]: 3.5,
      [`twhin_mrr{${graph},relation="follows",entities="known"}`]: 0.25,
      [`twhin_mrr{${graph},relation="follows",entities="new"}`]: 0.2,
      [`twhin_hits10{${graph},relation="follows",entities="known"}`]: 0.5,
      [`twhin_mrr_popularity{${graph},relation="follows",entities="known"}`]: 0.125,
      [`twhin_mrr_chance{${graph},relation="follows",entities="known"}`]: 0.0625,
      [`twhin_mrr_edges{${graph},relation="follows",entities="known"}`]: 9,
      [`twhin_mrr_edges{${graph},relation="follows",entities="new"}`]: 3,
      [`twhin_entities_started_total{${graph}}`]: 42,
      [`twhin_entities{${graph},type="user"}`]: 40,
      [`twhin_edges{${graph},relation="follows"}`]: 60,
      [`twhin_rows{${graph}}`]: 50,
      [`twhin_rows_free{${graph}}`]: 950,
      [`twhin_table_bytes{${graph}}`]: 500,
      [`twhin_store_memory_bytes{${graph},part="cache"}`]: 11,
      [`twhin_store_memory_bytes{${graph},part="memtables"}`]: 12,
      [`twhin_store_memory_bytes{${graph},part="readers"}`]: 13,
      [`twhin_commits_total{${graph}}`]: 6,
      [`twhin_commit_age_seconds{${graph}}`]: 1,
      [`twhin_store_bytes{${graph}}`]: 1234,
      [`twhin_vectors_published_total{${graph}}`]: 33,
      [`twhin_publish_retries_total{${graph}}`]: 1,
      [`twhin_publish_failures_total{${graph},code="refused"}`]: 1,
      [`twhin_publish_failures_total{${graph},code="fenced"}`]: 0,
      [`twhin_outbox_limit_vectors{${graph}}`]: 700,
      [`twhin_outbox_vectors{${graph}}`]: 4,
      [`twhin_outbox_oldest_age_seconds{${graph}}`]: 1.5,
      [`twhin_move{${graph},type="user",stat="p99"}`]: 0.4,
      [`twhin_norm{${graph},type="ad"}`]: 1,
      [`twhin_exchange_gradients_sent_total{${graph}}`]: 71,
      [`twhin_exchange_vectors_sent_total{${graph}}`]: 72,
      [`twhin_exchange_sent_bytes_total{${graph}}`]: 73,
      [`twhin_exchange_gradients_received_total{${graph}}`]: 74,
      [`twhin_exchange_vectors_received_total{${graph}}`]: 75,
      [`twhin_exchange_gradients_repeated_total{${graph}}`]: 76,
      [`twhin_exchange_gradients_stray_total{${graph}}`]: 77,
      [`twhin_exchange_unreadable_records_total{${graph}}`]: 78,
      [`twhin_exchange_waiting_edges{${graph}}`]: 79,
      [`twhin_exchange_copies{${graph}}`]: 82,
      [`twhin_exchange_vectors_asked_total{${graph}}`]: 81,
      [`twhin_exchange_peer_silence_seconds{${graph},peer="0"}`]: 2.5,
      [`twhin_exchange_peer_silence_seconds{${graph},peer="2"}`]: 6,
      [`twhin_exchange_vector_age_seconds{${graph},stat="p50"}`]: 0.25,
      [`twhin_ready{${graph}}`]: 1,
      [`twhin_phase{${graph},phase="running"}`]: 1,
      [`twhin_graph_info{${graph},kernel="wasm",fingerprint="f1",space="abc",epoch="2"}`]: 1,
      [`twhin_build_info{version="9.9.9",node="${process.versions.node}"}`]: 1,
    };
    for (const [name, value] of Object.entries(expected))
      expect([name, samples.get(name)]).toEqual([name, value]);
    // An unknown value is left out instead of 0.
    expect(samples.has(`twhin_lag_seconds{${graph},topic="twhin.follow",partition="2"}`)).toBe(false);
    expect(samples.has(`twhin_move{${graph},type="ad",stat="mean"}`)).toBe(false);
    expect(samples.has(`twhin_exchange_vector_age_seconds{${graph},stat="p99"}`)).toBe(false);
    const { blocks, bsize } = await statfs(folder);
    const free = samples.get(`twhin_disk_free_bytes{${graph}}`) ?? 0;
    expect([samples.get(`twhin_disk_size_bytes{${graph}}`), free > 0]).toEqual([blocks * bsize, true]);
    expect(samples.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
    expect(samples.get('process_cpu_user_seconds_total')).toBeGreaterThan(0);
    // A graph of the run that is not open yet.
    expect(samples.get('twhin_ready{graph="other"}')).toBe(0);
  });

  test('of a graph that is loading show the phase, and nothing that looks like an empty store or disk', async () => {
    const loading: Progress = { ...PROGRESS, phase: 'loading', writer: undefined };
    const { metrics } = setUp({
      ...{ progress: () => loading, unready: async () => ['it is loading'], lag: () => [] },
      ...{ storeMemory: async () => undefined, folder: join(folder, 'none') },
    });
    const samples = read(await metrics.render());
    expect(samples.get('twhin_ready{graph="follow"}')).toBe(0);
    expect(samples.has('twhin_store_bytes{graph="follow"}')).toBe(false);
    expect(samples.has('twhin_store_memory_bytes{graph="follow",part="cache"}')).toBe(false);
    expect(samples.get('twhin_phase{graph="follow",phase="loading"}')).toBe(1);
    expect(samples.has('twhin_events_consumed_total{graph="follow"}')).toBe(false);
    expect(samples.has('twhin_rows_free{graph="follow"}')).toBe(false);
  });

  test('of a whole graph say nothing of other shards', async () => {
    const { metrics } = setUp({ progress: () => ({ ...PROGRESS, exchange: undefined }) });
    expect([...read(await metrics.render()).keys()].filter((name) => name.includes('exchange'))).toEqual([]);
  });

  test('of routers are those of this moment', async () => {
    const { routers, metrics } = setUp();
    expect(await metrics.render()).not.toMatch(/^twhin_router_.* /m);
    const router = routerOf();
    const record = { topic: 'twhin.follow', partition: 0, offset: 1, timestamp: 0, key: null, value: null };
    for (let n = 0; n < 2; n++)
      router.rejections.take(record, new BadEvent('not-json', 'the value is not JSON'));
    routers.push(router);
    const shown = async () =>
      Object.fromEntries([...read(await metrics.render())].filter(([name]) => name.includes('_router_')));
    const graph = 'graph="follow"';
    expect(await shown()).toEqual({
      [`twhin_router_ready{${graph}}`]: 1,
      [`twhin_router_partitions{${graph}}`]: 2,
      [`twhin_router_events_total{${graph}}`]: 31,
      [`twhin_router_rejected_total{${graph},topic="twhin.follow",reason="not-json"}`]: 2,
      [`twhin_router_rejected_total{${graph},topic="twhin.follow",reason="empty-id"}`]: 0,
      [`twhin_router_sent_total{${graph}}`]: 44,
      [`twhin_router_sent_bytes_total{${graph}}`]: 900,
      [`twhin_router_retries_total{${graph}}`]: 3,
      [`twhin_router_lag_records{${graph},topic="twhin.follow",partition="1"}`]: 9,
      [`twhin_router_lag_records{${graph},topic="twhin.follow",partition="2"}`]: 3,
    });
    const away = { ...router, partitions: undefined, lag: () => [], unready: () => ['it is joining'] };
    routers[0] = away;
    const later = await shown();
    expect(later[`twhin_router_ready{${graph}}`]).toBe(0);
    expect(later[`twhin_router_partitions{${graph}}`]).toBe(0);
    expect(Object.keys(later).filter((name) => name.includes('lag'))).toEqual([]);
  });

  test('measure the durations of each graph in seconds', async () => {
    const { metrics } = setUp();
    const measures = metrics.measuresOf('follow');
    measures.batch?.(40);
    measures.step?.(20);
    measures.commit?.(300);
    measures.publish?.(70);
    // A record from a clock that is ahead counts as 0 s old.
    measures.fresh?.(900, -5_000);
    metrics.measuresOf('engagement').commit?.(1);
    const samples = read(await metrics.render());
    const graph = 'graph="follow"';
    expect(samples.get(`twhin_batches_total{${graph}}`)).toBe(1);
    expect(samples.get(`twhin_batch_duration_seconds_sum{${graph}}`)).toBe(0.04);
    expect(samples.get(`twhin_step_duration_seconds_sum{${graph}}`)).toBe(0.02);
    expect(samples.get(`twhin_commit_duration_seconds_sum{${graph}}`)).toBe(0.3);
    expect(samples.get(`twhin_commit_duration_seconds_bucket{le="0.25",${graph}}`)).toBe(0);
    expect(samples.get(`twhin_commit_duration_seconds_bucket{le="0.5",${graph}}`)).toBe(1);
    expect(samples.get('twhin_commit_duration_seconds_count{graph="engagement"}')).toBe(1);
    expect(samples.get(`twhin_publish_duration_seconds_sum{${graph}}`)).toBe(0.07);
    expect(samples.get(`twhin_arrival_latency_seconds_sum{${graph}}`)).toBe(0.9);
    expect(samples.get(`twhin_event_latency_seconds_sum{${graph}}`)).toBe(0);
  });

  test('look at the files of the stores once a minute, and at the free space each time', async () => {
    const { metrics } = setUp();
    await writeFile(join(folder, 'file'), 'x'.repeat(10));
    const used = async () => read(await metrics.render()).get('twhin_store_bytes{graph="follow"}');
    expect(await used()).toBe(10);
    await writeFile(join(folder, 'file'), 'x'.repeat(20));
    expect(await used()).toBe(10);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_001);
    expect(await used()).toBe(20);
    vi.restoreAllMocks();
  });

  test('are read once for simultaneous scrapes', async () => {
    let asked = 0;
    const unready = async () => {
      asked++;
      return [];
    };
    const { metrics } = setUp({ unready });
    const [one, other] = await Promise.all([metrics.render(), metrics.render()]);
    expect([asked, one === other]).toEqual([1, true]);
    await metrics.render();
    expect(asked).toBe(2);
  });

  test('are exactly the metrics of docs/http.md', async () => {
    const { metrics } = setUp();
    const there = [...(await metrics.render()).matchAll(/^# TYPE (twhin_\S+)/gm)].map(([, name]) => name);
    const docs = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'http.md'), 'utf8');
    const table = docs.slice(docs.indexOf('## Metrics'), docs.indexOf('A first look'));
    const told = [...table.matchAll(/`(twhin_\w+)`/g)].map(([, name]) => name);
    expect(told.sort()).toEqual(there.sort());
  });

  test('have conventional names with a unit or _total at the end, and a sentence of help', () => {
    const families = [...LOADED, ...OPENED, ...READY, ...ROUTER];
    for (const { name, kind, help } of families) {
      expect(name).toMatch(/^twhin_[a-z0-9_]+$/);
      expect([name, name.endsWith('_total')]).toEqual([name, kind === 'counter']);
      expect([name, help]).toEqual([name, expect.stringMatching(/^[A-Z1].*\.$/)]);
    }
    expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
  });
});
