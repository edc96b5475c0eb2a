import { describe, expect, it } from 'vitest';
import { joinedSpace } from '../../bench/in-process.ts';
import { readSpace } from '../../src/evaluation/space.ts';
import { entityKey } from '../../src/graph/entity.ts';
import { storeOf } from '../evaluation/compare/fixture.ts';
import { commitOf, entity } from '../graph/graph-fixture.ts';

const thing = (i: number) => entityKey('thing', `${i}`);

/** A shard's store: the vectors of its relation, then of things, own ones and copies, each at [x, 2 x]; and what it owns. */
async function shardOf(likes: number[], back: number[], things: Record<string, number>, owned: string[]) {
  const store = await storeOf({
    model: {
      ...{ dim: 2, scorer: 'transe-l2', entityTypes: ['thing'] },
      relations: [{ name: 'likes', lhs: 'thing', rhs: 'thing' }],
    },
    head: { rows: 2 + Object.keys(things).length },
    relations: { likes: [likes, back] },
    vectors: Object.fromEntries(Object.entries(things).map(([key, x]) => [key, [x, 2 * x]])),
  });
  return { ...store, owns: (key: string) => owned.includes(key) };
}

describe('the stores of all shards, joined', () => {
  /** Each has a copy of what the other owns, on another row, and as it was some time ago. */
  const parts = () => {
    const first = { 'thing:0': 0.25, 'thing:1': 9, 'thing:2': 0.75 };
    const second = { 'thing:3': 1.5, 'thing:2': 9, 'thing:1': 0.5, 'thing:0': 9 };
    return Promise.all([
      shardOf([1, 0], [0, 2], first, ['thing:0', 'thing:2']),
      shardOf([3, 4], [2, 0], second, ['thing:1', 'thing:3']),
    ]);
  };

  it('have each entity once, as its owner has it, the means of relations, and others at the origin', async () => {
    const space = await joinedSpace(await parts(), { unseen: [thing(7), thing(1)] });
    expect(new Set([0, 1, 2, 3, 7].map((i) => space.rowOf(thing(i)))).size).toBe(5);
    const vectorOf = (i: number) => [...space.table.vector(space.rowOf(thing(i))!)];
    expect([0, 1, 2, 3, 7].map((i) => vectorOf(i)[0])).toEqual([0.25, 0.5, 0.75, 1.5, 0]);
    expect(vectorOf(3)).toEqual([1.5, 3]);
    expect(space.rowOf(thing(8))).toBeUndefined();
    const likes = [false, true].map((reverse) => space.table.vector(space.relationRow('likes', reverse)));
    expect(likes.map((vector) => vector.join())).toEqual(['2,2', '1,1']);
  });

  it('of one shard are the store itself, which has its own rows, and its newest entities at the origin', async () => {
    const [, { store, head }] = await parts();
    const newer = { ...head, commit: 2, rows: 9 };
    await store.commit(commitOf({ head: newer, entities: [entity(thing(8), 8)] }));
    const [joined, read] = [await joinedSpace([{ store, head: newer }]), await readSpace(store, newer)];
    for (const key of [0, 1, 2, 3, 8].map(thing)) {
      expect(joined.table.vector(joined.rowOf(key)!)).toEqual(read.table.vector(read.rowOf(key)!));
      expect(read.rowOf(key)).toBe((await store.entity(key))?.row);
    }
    expect([...read.table.vector(8)]).toEqual([0, 0]);
  });
});
