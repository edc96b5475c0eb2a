import { describe, expect, test } from 'vitest';
import { type EntityKey, idOf } from '../../../src/graph/entity.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { Counters } from '../../../src/pipeline/counters.ts';
import { Exchange } from '../../../src/pipeline/exchange/exchange.ts';
import { Ingest } from '../../../src/pipeline/reading/ingest.ts';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import { OpenShardBatch } from '../../../src/pipeline/training/open-shard-batch.ts';
import type { Triples } from '../../../src/pipeline/training/trainer.ts';
import { EVENT_TOPICS } from '../../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../../topics/record.ts';
import { commitOf, graph, indexOf, user } from '../../graph/graph-fixture.ts';
import { FaultySink, keptLog } from '../faulty-sink.ts';
import { EXCHANGE } from '../shards-fixture.ts';

const list = ({ lhs, rhs }: Triples) => [...lhs].map((each, i) => [each, rhs[i]]);
const usersOf = (shard: number, many: number): EntityKey[] =>
  Array.from({ length: 99 }, (_, i) => user(`u${i}`))
    .filter((key) => shardOf(key, 2) === shard)
    .slice(0, many);

const [here] = usersOf(0, 1);
const [one, two, three] = usersOf(1, 3);

/** Shard 0 of two, with room for two copies. */
function set() {
  const store = graph();
  const index = indexOf(4);
  const counters = new Counters();
  const erasedAt = new Map<string, number>();
  const exchange = new Exchange(
    {
      ...{
        shard: { graph: 'g', index: 0, count: 2 },
        topic: EXCHANGE,
        fingerprint: 'f',
        dim: 2,
        index,
        space: 's',
      },
      ...{ entityTypes: store.layout.entityTypes, relationRows: 4, erased: () => false, maxCopies: 2 },
      ...{ sink: new FaultySink(), log: keptLog(), freshRun: 'r', clock: () => 0, failed: () => {} },
      pace: { mergeEdges: 100, mergeMs: 100 },
    },
    undefined,
  );
  const topics = new Map(EVENT_TOPICS.map((topic) => [topic.name, topic]));
  const ingest = new Ingest({ store, index, counters, erasedAt, limits: DEFAULT_LIMITS, topics, exchange });
  let batch = new OpenBatch(new OpenShardBatch(2));
  let offset = 0;
  const tell = async (topic: string, value: object) => {
    const record = {
      ...{ topic, partition: 0, offset: offset++, timestamp: Date.UTC(2030, 0), key: null },
      value: Buffer.from(JSON.stringify(value)),
    };
    const { reads, fetched } = await ingest.read([record]);
    for (const read of reads) ingest.apply(read, fetched, batch);
  };
  const follow = (followed: EntityKey, at: number, action = 'follow') =>
    tell('follow', { followerId: idOf(here!), followedId: idOf(followed), action, at });
  const erase = (key: EntityKey, at: number) => tell('erasure', { entity: key, at });
  /** Hands the batch over, after what is above the bound has gone. */
  const hand = () => {
    ingest.evict(batch);
    const closed = batch.close();
    batch = new OpenBatch(new OpenShardBatch(2));
    return closed;
  };
  /** Writes all as a commit does. */
  const commit = async () => {
    index.cut();
    const pending = ingest.unwritten.close();
    await store.commit(
      commitOf({
        edges: pending.changedEdges(),
        erasedEdges: pending.erasedEdges(),
        erasedEntities: [...pending.erasedEntities].map(([row, key]) => ({ key, row })),
        entities: [...pending.touched].flatMap((row) => index.record(row) ?? []),
      }),
    );
    ingest.unwritten.written(pending.number);
    return pending;
  };
  const stored = async () => (await Array.fromAsync(store.entities())).map(({ key }) => key);
  return { store, index, counters, exchange, ingest, follow, erase, hand, commit, stored };
}

describe('letting go of copies', () => {
  test('frees the rows of the least used, and leaves their edges and counts as they are', async () => {
    const { store, index, counters, follow, hand, commit, stored } = set();
    for (const key of [one!, two!, three!]) await follow(key, 1_000);
    const row = index.find(one!)!;
    const { copies, added, edges } = hand();
    expect([[...copies!.evicted], list(added).length, list(edges).length]).toEqual([[row], 3, 3]);
    expect([index.find(one!), index.size]).toEqual([undefined, 3]);
    const pending = await commit();
    expect([pending.evicted, [...pending.erasedEntities]]).toEqual([[row], [[row, one]]]);
    expect(await stored()).toEqual(expect.arrayContaining([here, two, three]));
    expect(await stored()).not.toContain(one);
    expect((await Array.fromAsync(store.edges())).length).toBe(3);
    expect(counters.edges).toEqual({ follows: 3 });
    expect(counters.own).toEqual({ edges: { follows: 3 }, entities: { user: 1 } });
  });

  test('an entity that is named again has a row again, its edge is to be remembered, and the freed row is used later', async () => {
    const { index, follow, hand, commit } = set();
    for (const key of [one!, two!, three!]) await follow(key, 1_000);
    const freed = index.find(one!)!;
    hand();
    await commit();
    await follow(one!, 2_000);
    const again = index.find(one!)!;
    expect(again).not.toBe(freed);
    const { shard, copies, added, edges } = hand();
    const own = index.find(here!)!;
    expect([list(copies!.confirmed), list(added), list(edges)]).toEqual([[[own, again]], [], [[own, again]]]);
    expect([...shard!.newHomes]).toEqual([1]);
    await commit();
    await follow(user('x'), 3_000);
    const { reused } = hand();
    expect([...reused.rows]).toEqual([freed]);
  });

  test('an edge is removed though its far end has no row; the own end has seen the event', async () => {
    const { index, counters, follow, hand, commit } = set();
    for (const key of [one!, two!, three!]) await follow(key, 1_000);
    hand();
    await commit();
    await follow(one!, 5_000, 'unfollow');
    expect([counters.edges, index.find(one!)]).toEqual([{ follows: 2 }, undefined]);
    expect(index.state(index.find(here!)!).lastSeen).toBe(5_000);
    expect(list(hand().removed)).toEqual([]);
  });

  test('an erasure takes the edges of a copy that was let go of, and a copy that is erased is no copy any more', async () => {
    const { store, counters, exchange, follow, erase, hand, commit } = set();
    for (const key of [one!, two!, three!]) await follow(key, 1_000);
    hand();
    await commit();
    await erase(one!, 2_000);
    await erase(two!, 2_000);
    expect([exchange.copies!.size, counters.edges]).toEqual([1, { follows: 1 }]);
    hand();
    await commit();
    expect((await Array.fromAsync(store.edges())).map(({ rhs }) => rhs)).toEqual([three]);
  });
});
