import { expect, test } from 'vitest';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { sampleOf } from '../../src/pipeline/entity-sample.ts';
import { rowHash } from '../../src/sampling/fixed-candidates.ts';
import { user } from '../graph/graph-fixture.ts';

/** Each row's vector is its number and 1. */
const trainer = {
  vectors: async (rows: Int32Array) => Float32Array.from([...rows].flatMap((row) => [row, 1])),
};

test('samples the entities of the lowest hashes as entities come and go, each with its vector', async () => {
  const index = new EntityIndex(4);
  const sample = sampleOf(trainer, index, 10);
  const name = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) index.add(user(`u${i}`), 1);
  };
  const read = () => sample(index.nextRow);
  const lowest = () =>
    Array.from({ length: index.nextRow }, (_, row) => row)
      .filter((row) => index.keyAt(row) !== undefined)
      .sort((a, b) => rowHash(a) - rowHash(b))
      .slice(0, 10);
  const expected = () => lowest().map((row) => ({ key: index.keyAt(row), vector: Float32Array.of(row, 1) }));
  name(0, 5);
  expect(await read()).toEqual(expected());
  name(5, 500);
  expect(await read()).toEqual(expected());
  for (const row of lowest().slice(0, 3)) index.remove(index.keyAt(row)!);
  name(505, 5);
  expect(await read()).toEqual(expected());
});

test('leaves out an entity that lost its row while the vectors were read, and one that the trainer does not know yet', async () => {
  const index = new EntityIndex(4);
  for (const id of ['a', 'b', 'c']) index.add(user(id), 1);
  const read = sampleOf(trainer, index)(6);
  index.remove(user('a'));
  expect((await read).map(({ key }) => key)).toEqual([user('b')]);
});
