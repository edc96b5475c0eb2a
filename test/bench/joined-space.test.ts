import { describe, expect, it } from 'vitest';
import { joinedSpace } from '../../bench/joined-space.ts';
import { readSpace } from '../../src/evaluation/space.ts';
import type { EntityKey } from '../../src/graph/entity.ts';
import { storeOf } from '../evaluation/compare/fixture.ts';
import { thing } from '../evaluation/space-fixture.ts';
import { commitOf, entity } from '../graph/graph-fixture.ts';

const MODEL = {
  ...{ dim: 2, scorer: 'transe-l2', entityTypes: ['thing'] },
  relations: [{ name: 'likes', lhs: 'thing', rhs: 'thing' }],
};

/** A shard's store: the vectors of its relation, then of things, own ones and copies; and which things it owns. */
async function shardOf(
  relation: readonly (readonly number[])[],
  things: readonly (readonly [number: number, vector: readonly number[]])[],
  owned: readonly number[],
) {
  const [forward, reverse] = relation;
  const store = await storeOf({
    model: MODEL,
    head: { rows: 2 + things.length },
    relations: { likes: [forward!, reverse!] },
    vectors: Object.fromEntries(things.map(([number, vector]) => [thing(number), vector])),
  });
  return { ...store, owns: (key: EntityKey) => owned.some((number) => thing(number) === key) };
}

describe('the stores of all shards, joined', () => {
  /** Each has a copy of what the other owns, on another row, and as it was some time ago. */
  const parts = () =>
    Promise.all([
      shardOf(
        [
          [1, 0],
          [0, 2],
        ],
        [
          [0, [0.1, 0.2]],
          [1, [9, 9]],
          [2, [0.3, 0.4]],
        ],
        [0, 2],
      ),
      shardOf(
        [
          [3, 4],
          [2, 0],
        ],
        [
          [3, [0.7, 0.8]],
          [2, [9, 9]],
          [1, [0.5, 0.6]],
          [0, [9, 9]],
        ],
        [1, 3],
      ),
    ]);

  it('have the vector of each entity as its owner has it, each entity once', async () => {
    const space = await joinedSpace(await parts());
    const { keys, rows } = space.members('thing');
    expect([...keys].sort()).toEqual([0, 1, 2, 3].map(thing));
    expect(new Set(rows).size).toBe(4);
    expect(keys.map((key) => space.rowOf(key))).toEqual([...rows]);
    const vectors = [0, 1, 2, 3].map((number) => [...space.table.vector(space.rowOf(thing(number))!)]);
    expect(vectors).toEqual(
      [
        [0.1, 0.2],
        [0.5, 0.6],
        [0.3, 0.4],
        [0.7, 0.8],
      ].map((vector) => vector.map(Math.fround)),
    );
  });

  it('have relation vectors that are the means of the shards’', async () => {
    const space = await joinedSpace(await parts());
    const relation = [false, true].map((reverse) => [
      ...space.table.vector(space.relationRow('likes', reverse)),
    ]);
    expect(relation).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });

  it('have entities that no shard knows at the origin', async () => {
    const space = await joinedSpace(await parts(), { unseen: [thing(7), thing(1)] });
    expect(space.members('thing').keys).toHaveLength(5);
    expect([...space.table.vector(space.rowOf(thing(7))!)]).toEqual([0, 0]);
    expect(space.table.vector(space.rowOf(thing(1))!)[0]).toBeCloseTo(0.5, 6);
    expect(space.rowOf(thing(8))).toBeUndefined();
  });

  it('have entities that are newer than the checkpoint at the origin', async () => {
    const [{ store, head }] = await parts();
    const newer = { ...head, commit: 2, rows: 9 };
    await store.commit(commitOf({ head: newer, entities: [entity(thing(8), 8)] }));
    const space = await readSpace(store, newer);
    expect([...space.table.vector(space.rowOf(thing(8))!)]).toEqual([0, 0]);
  });

  it('are the store itself where there is one shard, and a whole store has its own rows', async () => {
    const [, { store, head }] = await parts();
    const joined = await joinedSpace([{ store, head, owns: () => true }]);
    const read = await readSpace(store, head);
    for (const key of [0, 1, 2, 3].map(thing)) {
      expect(joined.table.vector(joined.rowOf(key)!)).toEqual(read.table.vector(read.rowOf(key)!));
      expect(read.rowOf(key)).toBe((await store.entity(key))?.row);
    }
  });
});
