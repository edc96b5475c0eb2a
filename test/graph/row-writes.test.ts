import { describe, expect, test } from 'vitest';
import { type Commit, GraphStore } from '../../src/graph/graph-store.ts';
import { Layout } from '../../src/graph/layout.ts';
import { Random } from '../../src/sampling/random.ts';
import { commitOf, HEAD, MODEL, user } from './graph-fixture.ts';
import { MemoryStore } from './memory-store.ts';

const ROWS = 5_000;

/** A commit of these rows, with numbers that depend on the row and the commit. */
function commitRows(rows: Int32Array, number: number, rest: Partial<Commit> = {}): Commit {
  const floats = Float32Array.from(rows, (row) => row / 3 + number);
  return {
    ...commitOf({ head: { ...HEAD, step: number }, ...rest }),
    rows,
    floats: Float32Array.from({ length: 4 * rows.length }, (_, i) => floats[i >> 2]! + (i & 3)),
  };
}

/** Ascending rows, each with this probability. */
function someRows(random: Random, chance: number): Int32Array {
  return Int32Array.from({ length: ROWS }, (_, row) => row).filter(() => random.uniform() < chance);
}

/** Rows read at once are those that a store opened on the same entries reads. */
async function expectAgreement(entries: MemoryStore, store: GraphStore): Promise<void> {
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  const read = await store.readVectors(rows);
  const slow = await new GraphStore(entries, new Layout(MODEL)).readVectors(rows);
  const text = (vectors: typeof slow) =>
    [...vectors]
      .map(([row, { bytes, step }]) => `${row} ${step} ${Buffer.from(bytes).toString('hex')}`)
      .sort();
  expect(text(read)).toEqual(text(slow));
}

describe('rows of a commit', () => {
  test('written values stay when later commits, large and small, use the memory again', async () => {
    const entries = new MemoryStore();
    const store = new GraphStore(entries, new Layout(MODEL));
    const random = Random.seeded(11);
    for (const [i, chance] of [0.01, 0.9, 0.3, 0, 0.02, 0.5].entries()) {
      await store.commit(commitRows(someRows(random, chance), i + 1));
      await expectAgreement(entries, store);
    }
    const [last] = await Promise.all([store.readRows([ROWS - 1]), store.readVectors([1])]);
    expect(last[0]?.floats).toHaveLength(4);
  });

  test('a vector that was read does not change with later commits', async () => {
    const store = new GraphStore(new MemoryStore(), new Layout(MODEL));
    await store.commit(commitRows(Int32Array.of(7), 1));
    const read = (await store.readVectors([7])).get(7)!;
    const before = Buffer.from(read.bytes).toString('hex');
    for (const number of [2, 3, 4]) await store.commit(commitRows(Int32Array.of(7), number));
    expect(Buffer.from(read.bytes).toString('hex')).toBe(before);
    expect(read.step).toBe(1);
  });

  test('a row erased by the same commit is not read, and unordered rows are found', async () => {
    const entries = new MemoryStore();
    const store = new GraphStore(entries, new Layout(MODEL));
    const erasedEntities = [{ key: user('a'), row: 5 }];
    await store.commit(commitRows(Int32Array.of(4, 5, 6), 1, { erasedEntities }));
    expect([...(await store.readVectors([4, 5, 6])).keys()]).toEqual([4, 6]);
    await store.commit(commitRows(Int32Array.of(9, 2, 6), 2));
    await expectAgreement(entries, store);
  });

  test('rows of a commit that failed are not read', async () => {
    const entries = new MemoryStore();
    const store = new GraphStore(entries, new Layout(MODEL));
    await store.commit(commitRows(Int32Array.of(4), 1));
    const write = entries.write.bind(entries);
    entries.write = async () => Promise.reject(new Error('disk full'));
    await expect(store.commit(commitRows(Int32Array.of(4), 2))).rejects.toThrow('disk full');
    entries.write = write;
    expect((await store.readVectors([4])).get(4)?.step).toBe(1);
  });
});
