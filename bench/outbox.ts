import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openRocksdbThread } from '../src/adapters/rocksdb/thread.ts';
import { entityKey } from '../src/graph/entity.ts';
import { EntityIndex } from '../src/graph/entity-index.ts';
import { GraphStore } from '../src/graph/graph-store.ts';
import { Layout } from '../src/graph/layout.ts';
import { silentLog } from '../src/log.ts';
import { Counters } from '../src/pipeline/counters.ts';
import { Alone } from '../src/pipeline/neighbours.ts';
import { OffsetLedger } from '../src/pipeline/reading/offset-ledger.ts';
import { Unwritten } from '../src/pipeline/reading/unwritten.ts';
import { soleLeadership } from '../src/pipeline/sole-leadership.ts';
import { Committer } from '../src/pipeline/writing/committer.ts';
import { Publisher } from '../src/pipeline/writing/publish.ts';
import { Writer } from '../src/pipeline/writing/writer.ts';
import { Random } from '../src/sampling/random.ts';

/**
 * What the main thread spends on a commit and on publishing it, without training and without edges: entities, rows,
 * outbox, and messages made for a sink that takes each after 5 ms. `npx node bench/outbox.ts`, as JSON.
 */
const [ENTITIES, WARMUP, COMMITS, EVENTS, VECTORS, DIM] = [300_000, 20, 100, 2_000, 5_000, 16];
const MODEL = {
  ...{ dim: DIM, scorer: 'transe-l2', entityTypes: ['user', 'tweet'] },
  relations: [{ name: 'likes', lhs: 'user', rhs: 'tweet' }],
};

const random = Random.seeded(1);
const folder = await mkdtemp(join(tmpdir(), 'twhin-bench-'));
const store = new GraphStore(await openRocksdbThread(folder), new Layout(MODEL));
const index = new EntityIndex(2);
for (let i = 0; i < ENTITIES; i++) index.add(entityKey(i % 3 === 0 ? 'user' : 'tweet', `${1e9 + i}`), 1);

const checkpoint = () => {
  const rows = new Set<number>();
  // Some move with every commit, most seldom.
  while (rows.size < VECTORS) rows.add(2 + Math.floor(ENTITIES * random.uniform() ** 4));
  return {
    ...{ step: 1, random: new Uint32Array(2), rows: Int32Array.from(rows).sort() },
    ...{ floats: new Float32Array(VECTORS * (DIM + 2)), moved: new Float32Array(VECTORS) },
    publish: new Uint8Array(VECTORS).fill(1),
    held: 0,
  };
};
const checkpoints = Array.from({ length: WARMUP + COMMITS }, checkpoint);
const done = async () => undefined;
const trainer = {
  ...{ loadRows: done, loadEdges: done, start: done, stop: done },
  train: () => Promise.reject(new Error('nothing is trained here')),
  readRows: () => Promise.reject(new Error('nothing is read here')),
  checkpoint: async () => checkpoints.shift() ?? checkpoint(),
};
const sink = {
  ...{ takeOver: done, stop: done },
  publish: async () => {
    await pause(5);
  },
};
const unwritten = new Unwritten();
const writer = new Writer(undefined, { role: 'leader' }, 'space');
const common = { writer, store, sink, log: silentLog, clock: () => Date.now(), measures: {} };
const publisher = new Publisher({
  ...{ ...common, topic: 'vectors', step: () => 1, watermark: () => 1 },
  header: { graph: 'bench', dim: DIM, dtype: 'float32', fingerprint: 'f' },
  failed: (error) => {
    throw error;
  },
});
const committer = new Committer(
  {
    ...{ ...common, index, graph: 'bench', model: MODEL, trainer, counters: new Counters(), unwritten },
    neighbours: new Alone(),
    ...{
      publisher,
      tuning: { epsilon: 0, maxAgeMs: 1 },
      leadership: soleLeadership,
      image: { outdated: done },
      ledger: new OffsetLedger(),
    },
  },
  undefined,
);
publisher.begin((name) => index.find(name));

async function commit(): Promise<void> {
  const pending = unwritten.open;
  pending.since = Date.now();
  const { rows } = checkpoints[0] ?? checkpoint();
  for (let i = 0; i < 2 * EVENTS; i++) pending.touched.add(rows[random.below(VECTORS)] ?? 0);
  await committer.commit(unwritten.close(), { everything: false, holdMs: 0 });
  await publisher.drained();
}

for (let i = 0; i < WARMUP; i++) await commit();
const before = process.threadCpuUsage();
for (let i = 0; i < COMMITS; i++) await commit();
const { user, system } = process.threadCpuUsage(before);
const vectors = COMMITS * VECTORS;
console.log(JSON.stringify({ vectors, microsAVector: (user + system) / vectors }));
await store.close();
await rm(folder, { recursive: true });
