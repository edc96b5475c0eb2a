import { describe, expect, test } from 'vitest';
import { user } from '../../graph/graph-fixture.ts';
import { here, list, one, shardIngest, three, two } from './shard-ingest.ts';

describe('letting go of copies', () => {
  test('frees the rows of the least used, and leaves their edges and counts as they are', async () => {
    const { store, index, counters, follow, hand, commit, stored } = shardIngest();
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
    const { index, follow, hand, commit } = shardIngest();
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
    const { index, counters, follow, hand, commit } = shardIngest();
    for (const key of [one!, two!, three!]) await follow(key, 1_000);
    hand();
    await commit();
    await follow(one!, 5_000, 'unfollow');
    expect([counters.edges, index.find(one!)]).toEqual([{ follows: 2 }, undefined]);
    expect(index.state(index.find(here!)!).lastSeen).toBe(5_000);
    expect(list(hand().removed)).toEqual([]);
  });

  test('an erasure takes the edges of a copy that was let go of, and a copy that is erased is no copy any more', async () => {
    const { store, counters, exchange, follow, erase, hand, commit } = shardIngest();
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
