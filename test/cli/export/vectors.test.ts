import { expect, test } from 'vitest';
import { countVectors, vectorsOf } from '../../../src/cli/export/vectors.ts';
import { commitOf, commitRows, entity, graph, HEAD, MODEL, tweet, user } from '../../graph/graph-fixture.ts';

const names = (count: number) => Array.from({ length: count }, (_, i) => user(`u${1_000 + i}`));
const ids = names(9);

/** Users on rows from 4 on, of whom the last one is newer than the checkpoint, and a tweet. */
async function stored(ids = names(9)) {
  const store = graph();
  const entities = ids.map((key, i) => entity(key, 4 + i));
  const vectors = Object.fromEntries([...ids.keys()].slice(0, -1).map((i) => [4 + i, [i, -i, 1, 0]]));
  await commitRows(store, { entities: entities.slice(0, -1), vectors });
  const newer = [...entities.slice(-1), entity(tweet('t'), 4 + ids.length)];
  await store.commit(commitOf({ head: { ...HEAD, commit: 2 }, entities: newer }));
  const stopping = new AbortController();
  return {
    stopping,
    of: { store, type: 'user', dim: MODEL.dim, shard: undefined, stopping: stopping.signal },
  };
}

test('vectors are those in the checkpoint, in the order of the store', async () => {
  const { of } = await stored();
  expect(await countVectors(of, 9)).toBe(8);
  expect(await Array.fromAsync(vectorsOf({ ...of, entities: 8 }))).toEqual(
    ids.slice(0, -1).map((key, i) => ({ key, vector: Float32Array.of(i, -i) })),
  );
  let n = 0;
  const some = await Array.fromAsync(vectorsOf({ ...of, entities: 8 }, () => n++ % 4 === 0));
  expect(some.map(({ key }) => key)).toEqual([ids[0], ids[4]]);
});

test('vectors are read in batches of 4,096, of which the last may be empty', async () => {
  for (const count of [4_095, 4_096, 4_097, 8_192]) {
    const all = names(count + 1);
    const { of } = await stored(all);
    const found = await Array.fromAsync(vectorsOf({ ...of, entities: count }), ({ key, vector }) => {
      return [key, vector[0]];
    });
    expect(found).toEqual(all.slice(0, -1).map((key, i) => [key, i]));
  }
});

test('a store whose head counts other entities is damaged, and a signal ends the reading', async () => {
  const { of, stopping } = await stored();
  await expect(countVectors(of, 7)).rejects.toMatchObject({
    code: 'file',
    message: '9 entities of type user are stored, and the head counts 7; run twhin check',
  });
  stopping.abort(new Error('stopped'));
  await expect(Array.fromAsync(vectorsOf({ ...of, entities: 8 }))).rejects.toThrow('stopped');
});
