import { type EntityKey, idOf } from '../../src/graph/entity.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { Counters } from '../../src/pipeline/counters.ts';
import { Ingest } from '../../src/pipeline/reading/ingest.ts';
import { Unwritten } from '../../src/pipeline/reading/unwritten.ts';
import { OpenBatch } from '../../src/pipeline/training/open-batch.ts';
import type { Triples } from '../../src/pipeline/training/trainer.ts';
import { Exchange } from '../../src/shards/exchange.ts';
import { EVENT_TOPICS } from '../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../topics/record.ts';
import { commitOf, graph, indexOf, user } from '../graph/graph-fixture.ts';
import { FaultySink, keptLog } from '../pipeline/faulty-sink.ts';
import { EXCHANGE } from './shards-fixture.ts';

export const list = ({ lhs, rhs }: Triples) => [...lhs].map((each, i) => [each, rhs[i]]);
const usersOf = (shard: number, many: number): EntityKey[] =>
  Array.from({ length: 99 }, (_, i) => user(`u${i}`))
    .filter((key) => shardOf(key, 2) === shard)
    .slice(0, many);

export const [here] = usersOf(0, 1);
export const [one, two, three] = usersOf(1, 3);

/** Ingest of shard 0 of two, which owns `here`. */
export function shardIngest() {
  const store = graph();
  const index = indexOf(4);
  const counters = new Counters();
  const erasedAt = new Map<string, number>();
  const { entityTypes, relations } = store.layout;
  const model = { dim: 2, scorer: 'transe-l2', entityTypes: [...entityTypes], relations: [...relations] };
  const exchange = new Exchange(
    {
      ...{ shard: { graph: 'g', index: 0, count: 2 }, topic: EXCHANGE, freshRun: 'r' },
      pace: { mergeEdges: 100, mergeMs: 100, quietMs: 100, wantMs: 100 },
    },
    {
      ...{ head: undefined, model, index, space: 's', erased: () => false, sink: new FaultySink() },
      ...{ log: keptLog(), clock: () => 0, failed: () => {} },
    },
    new Uint8Array(0),
  );
  const topics = new Map(EVENT_TOPICS.map((topic) => [topic.name, topic]));
  const unwritten = new Unwritten();
  const ingest = new Ingest({
    store,
    unwritten,
    index,
    counters,
    erasedAt,
    limits: DEFAULT_LIMITS,
    topics,
    neighbours: exchange,
  });
  let batch = new OpenBatch();
  let offset = 0;
  const tell = async (topic: string, value: object) => {
    const record = {
      ...{ topic, partition: 0, offset: offset++, timestamp: Date.UTC(2030, 0), key: null },
      value: Buffer.from(JSON.stringify(value)),
    };
    const { reads, fetched } = await ingest.read([record]);
    for (const read of reads) ingest.apply(read, fetched, batch);
  };
  const edge = (follower: EntityKey, followed: EntityKey, at: number, action = 'follow') =>
    tell('follow', { followerId: idOf(follower), followedId: idOf(followed), action, at });
  const follow = (followed: EntityKey, at: number, action?: string) => edge(here!, followed, at, action);
  const erase = (key: EntityKey, at: number) => tell('erasure', { entity: key, at });
  /** Hands the batch over. */
  const hand = () => {
    const closed = { ...batch.close(), ...exchange.hand(batch.edges).part };
    batch = new OpenBatch();
    return closed;
  };
  /** Writes all as a commit does. */
  const commit = async () => {
    index.cut();
    const pending = unwritten.close();
    await store.commit(
      commitOf({
        edges: pending.changedEdges(),
        erasedEdges: pending.erasedEdges(),
        erasedEntities: [...pending.erasedEntities].map(([row, key]) => ({ key, row })),
        entities: [...pending.touched].flatMap((row) => index.record(row) ?? []),
      }),
    );
    unwritten.written(pending.number);
    return pending;
  };
  const stored = async () => (await Array.fromAsync(store.entities())).map(({ key }) => key);
  return { store, index, counters, exchange, ingest, edge, follow, erase, hand, commit, stored };
}
