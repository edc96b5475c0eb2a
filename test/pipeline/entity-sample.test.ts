import { expect, test } from 'vitest';
import { EntityIndex } from '../../src/graph/entity-index.ts';
import { EntitySample } from '../../src/pipeline/entity-sample.ts';
import { rowHash } from '../../src/sampling/fixed-candidates.ts';
import { commitOf, graph, user } from '../graph/graph-fixture.ts';

test('samples the entities of the lowest hashes as entities come and go, each with its committed vector', async () => {
  const [store, index] = [graph(), new EntityIndex(4)];
  const sample = new EntitySample(store, index, 10);
  const name = async (from: number, count: number) => {
    const rows = Array.from({ length: count }, (_, i) => index.add(user(`u${from + i}`), 1));
    await store.commit(commitOf({ vectors: Object.fromEntries(rows.map((row) => [row, [row, 1, 0, 0]])) }));
  };
  const lowest = () =>
    Array.from({ length: index.nextRow }, (_, row) => row)
      .filter((row) => index.keyAt(row) !== undefined)
      .sort((a, b) => rowHash(a) - rowHash(b))
      .slice(0, 10);
  const expected = () => lowest().map((row) => ({ key: index.keyAt(row), vector: Float32Array.of(row, 1) }));
  await name(0, 5);
  expect(await sample.read()).toEqual(expected());
  await name(5, 500);
  expect(await sample.read()).toEqual(expected());
  for (const row of lowest().slice(0, 3)) index.remove(index.keyAt(row)!);
  await name(505, 5);
  expect(await sample.read()).toEqual(expected());
});

test('leaves out an entity that lost its row while the vectors were read', async () => {
  const [store, index] = [graph(), new EntityIndex(4)];
  const rows = ['a', 'b'].map((id) => index.add(user(id), 1));
  await store.commit(commitOf({ vectors: Object.fromEntries(rows.map((row) => [row, [1, 1, 0, 0]])) }));
  const read = new EntitySample(store, index).read();
  index.remove(user('a'));
  expect((await read).map(({ key }) => key)).toEqual([user('b')]);
});
