import { expect, test } from 'vitest';
import type { StoredRow } from '../../../src/graph/graph-store.ts';
import { RelationVectors } from '../../../src/pipeline/writing/relation-vectors.ts';
import { decodeRelation } from '../../../topics/model.ts';

const LIKES = { name: 'likes', lhs: 'user', rhs: 'tweet' };
const SEES = { name: 'sees', lhs: 'user', rhs: 'ad' };
const EPSILON = 0.3;

/** Relation vectors of two numbers: likes on rows 0 and 1, sees on rows 2 and 3. stored: rows of an earlier process. */
function relations(stored: readonly StoredRow[] = []) {
  const now = { ms: 1_000 };
  const vectors = new RelationVectors({
    graph: 'test',
    topic: { name: 'model', beta: 9 },
    model: { dim: 2, scorer: 'transe-l2', entityTypes: ['user', 'tweet', 'ad'], relations: [LIKES, SEES] },
    fingerprint: 'f',
    store: { readRows: async (rows) => rows.map((row) => stored.find((each) => each.row === row)) },
    writer: { epoch: 3, space: 'space', stepBase: 100 },
    tuning: { epsilon: EPSILON, maxAgeMs: 60_000 },
    watermark: () => 1_234,
    clock: () => now.ms,
  });
  /** A commit of these rows: vector and accumulator. */
  const commit = (step: number, rows: Record<number, readonly [number, number, number]>) => {
    const floats = Object.values(rows).flatMap((row) => [...row, 0]);
    vectors.take(
      { rows: Int32Array.from(Object.keys(rows), Number), floats: Float32Array.from(floats) },
      step,
    );
  };
  /** What is sent, as key, numbers and step. */
  const send = async () => {
    const messages = await vectors.messages();
    vectors.acknowledged();
    return messages.map(({ key, value, headers }) => {
      const read = decodeRelation(String(key), headers, value);
      expect(read).toMatchObject({ epoch: 3, space: 'space' });
      return `${String(key)} ${[...read.vector].join(',')} @${read.step}${read.trained ? '' : ' untrained'}`;
    });
  };
  return { vectors, now, commit, send };
}

test('a new process publishes every stored relation vector once, and says which are untrained', async () => {
  const row = (row: number, accumulator: number) => ({
    row,
    step: 40 + row,
    floats: Float32Array.of(row, 1, accumulator, 0),
  });
  const { vectors, send } = relations([row(0, 2), row(1, 2), row(2, 0), row(3, 0)]);
  expect(vectors.due).toBe(true);
  expect(await send()).toEqual([
    'relation:likes 0,1 @140',
    'relation:likes/inverse 1,1 @141',
    'relation:sees 2,1 @100 untrained',
    'relation:sees/inverse 3,1 @100 untrained',
  ]);
  expect(vectors.due).toBe(false);
  expect(await send()).toEqual([]);
});

test('a commit that came before the store was read is newer than the stored row', async () => {
  const { commit, send } = relations([{ row: 0, step: 1, floats: Float32Array.of(1, 1, 1, 0) }]);
  commit(2, { 0: [2, 2, 1] });
  expect(await send()).toEqual(['relation:likes 2,2 @102']);
});

test('a vector goes out again once it moved further than epsilon, became old, or was trained the first time', async () => {
  const { vectors, now, commit, send } = relations();
  await send();
  commit(1, { 0: [0, 0, 1], 2: [0, 0, 0] });
  expect(await send()).toEqual(['relation:likes 0,0 @101', 'relation:sees 0,0 @100 untrained']);
  commit(2, { 0: [EPSILON - 0.01, 0, 1], 2: [0, 0, 0.5] });
  expect(await send()).toEqual(['relation:sees 0,0 @102']);
  commit(3, { 0: [EPSILON + 0.01, 0, 1] });
  expect((await send()).map((each) => each.split(' ')[0])).toEqual(['relation:likes']);
  commit(4, { 0: [EPSILON, 0, 1], 2: [0, 0, 0.5] });
  expect(vectors.due).toBe(false);
  now.ms += 60_001;
  expect((await send()).map((each) => each.split(' ')[0])).toEqual(['relation:likes']);
});

test('a flush sends what moved at all, once', async () => {
  const { vectors, commit, send } = relations();
  await send();
  commit(1, { 0: [1, 0, 1], 1: [1, 0, 1] });
  await send();
  commit(2, { 0: [1.001, 0, 1], 1: [1, 0, 1] });
  expect(vectors.due).toBe(false);
  vectors.flush();
  expect((await send()).map((each) => each.split(' ')[0])).toEqual(['relation:likes']);
  commit(3, { 0: [1.002, 0, 1] });
  expect(vectors.due).toBe(false);
});

test('what moves while it is being sent is due again, and a send that failed is repeated', async () => {
  const { vectors, commit, send } = relations();
  await send();
  commit(1, { 0: [1, 0, 1] });
  expect(await vectors.messages()).toHaveLength(1);
  commit(2, { 0: [5, 0, 1] });
  vectors.acknowledged();
  expect(vectors.due).toBe(true);
  // Never acknowledged.
  await vectors.messages();
  expect(await send()).toEqual(['relation:likes 5,0 @102']);
});

test('the rows of a commit may be used again as soon as they are taken', async () => {
  const { vectors, send } = relations();
  const floats = Float32Array.of(1, 2, 1, 0);
  vectors.take({ rows: Int32Array.of(0), floats }, 1);
  floats.fill(9);
  expect(await send()).toEqual(['relation:likes 1,2 @101']);
});
