import { expect, test } from 'vitest';
import { here, list, one, shardIngest, two } from './shard-ingest.ts';

test('an edge that another shard trains is stored and counted, and gives its far end no row', async () => {
  const { store, index, counters, exchange, edge, hand, commit, stored } = shardIngest();
  await edge(one!, here!, 1_000);
  await edge(two!, here!, 1_000);
  const { newTypes, edges, added, shard } = hand();
  expect([newTypes.length, edges.lhs.length, added.lhs.length]).toEqual([1, 0, 0]);
  expect(shard!.copies.rows).toHaveLength(0);
  const row = index.find(here!)!;
  // The other shard has a copy, and is owed the vector once.
  const { rows, shards, wanted } = shard!.inUse;
  expect([[...rows], [...shards], [...wanted]]).toEqual([[row], [1], [0]]);
  expect([index.find(one!), index.find(two!), index.size]).toEqual([undefined, undefined, 1]);
  expect(counters.edges).toEqual({ follows: 2 });
  expect(exchange.head().shard).toMatchObject({ edges: {}, entities: { user: 1 } });
  expect((await commit()).trained).toBe(2);
  expect(await stored()).toEqual([here]);
  expect(index.record(row)).toMatchObject({ updates: 2, lastSeen: 1_000 });
  expect((await Array.fromAsync(store.edges())).map(({ lhs }) => lhs)).toEqual([one, two]);
});

test('a removal makes no row, and asks nobody for anything', async () => {
  const { index, counters, edge, hand } = shardIngest();
  await edge(one!, here!, 1_000, 'unfollow');
  expect([index.size, hand().shard!.inUse.rows.length]).toEqual([0, 0]);
  await edge(two!, here!, 2_000);
  hand();
  await edge(two!, here!, 3_000, 'unfollow');
  const { removed, shard } = hand();
  expect([list(removed), shard!.inUse.rows.length, counters.edges['follows']]).toEqual([[], 0, 0]);
  expect(index.record(index.find(here!)!)).toMatchObject({ updates: 1, lastSeen: 3_000 });
});

test('an erasure takes an edge from the trainer of the shard that trains it alone', async () => {
  const { edge, follow, erase, hand } = shardIngest();
  await follow(one!, 1_000);
  await edge(one!, here!, 1_000);
  hand();
  await erase(one!, 2_000);
  const { removed } = hand();
  expect(list(removed)).toHaveLength(1);
});

test('an edge of two own entities, and one that this shard trains, have rows for both ends', async () => {
  const { index, edge, follow, hand } = shardIngest();
  await edge(here!, here!, 1_000);
  await follow(one!, 1_000);
  const { edges, shard } = hand();
  const [own, far] = [index.find(here!)!, index.find(one!)!];
  expect(list(edges)).toEqual([
    [own, own],
    [own, far],
  ]);
  expect(shard!.inUse.rows).toHaveLength(0);
});
