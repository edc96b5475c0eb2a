import { expect, test } from 'vitest';
import { quantiser, trainCodebooks } from '../../../src/cli/export/quantised.ts';
import type { StoredVectors } from '../../../src/cli/export/vectors.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { Random } from '../../../src/sampling/random.ts';
import { commitRows, entity, graph, HEAD } from '../../graph/graph-fixture.ts';

const DIM = 4;
const random = Random.seeded(3);

/** A store of so many users about four points, which are far from each other in both halves of a vector. */
async function stored(users: number): Promise<{ vectors: number[][]; stored: StoredVectors }> {
  const model = { dim: DIM, scorer: 'transe-l2', entityTypes: ['user'], relations: [] };
  const store = graph(model);
  const vectors = Array.from({ length: users }, (_, i) =>
    Array.from({ length: DIM }, (__, k) => Math.fround(100 * (k < 2 ? i % 2 : i % 4) + random.uniform())),
  );
  const entities = vectors.map((_, i) => entity(entityKey('user', `${i}`), i));
  const rows = Object.fromEntries(vectors.map((vector, i) => [i, [...vector, 0, 0]]));
  await commitRows(store, { head: { ...HEAD, model, rows: users }, entities, vectors: rows });
  const stopping = new AbortController().signal;
  return { vectors, stored: { store, type: 'user', dim: DIM, entities: users, stopping } };
}

/** What comes back of vectors after they were quantised. */
function decoded(codebooks: Float32Array, parts: number, vectors: readonly number[][]): number[][] {
  const codesOf = quantiser(codebooks, parts);
  const width = DIM / parts;
  const centroid = (code: number, m: number) =>
    codebooks.subarray((256 * m + code) * width).subarray(0, width);
  return vectors.map((vector) =>
    [...codesOf(Float32Array.from(vector))].flatMap((code, m) => [...centroid(code, m)]),
  );
}

test.each([1, 2, 4])('of at most 256 vectors nothing is lost, in %i parts', async (parts) => {
  const { vectors, stored: of } = await stored(40);
  const codebooks = await trainCodebooks(of, parts, () => {});
  expect(decoded(codebooks, parts, vectors)).toEqual(vectors);
});

test('of more vectors, each part comes back near where it was', async () => {
  const { vectors, stored: of } = await stored(600);
  const found = decoded(await trainCodebooks(of, 2, () => {}), 2, vectors);
  // The points are 100 apart, and their vectors within 1 of them.
  const off = found.flatMap((vector, i) => vector.map((value, k) => Math.abs(value - vectors[i]![k]!)));
  expect(Math.max(...off)).toBeLessThan(1);
});
