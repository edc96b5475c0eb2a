import { expect, test } from 'vitest';
import { RelationVectors } from '../../../src/pipeline/writing/relation-vectors.ts';
import { decodeRelation } from '../../../topics/model.ts';

const LIKES = { name: 'likes', lhs: 'user', rhs: 'tweet' };
const SEES = { name: 'sees', lhs: 'user', rhs: 'ad' };
const EPSILON = 0.3;

type Row = readonly [first: number, second: number, accumulator: number];

/** Relation vectors of two numbers: likes and its inverse on rows 0 and 1, sees and its inverse on rows 2 and 3. */
function relations() {
  const now = { ms: 1_000 };
  const vectors = new RelationVectors({
    graph: 'test',
    topic: { name: 'model', beta: 9 },
    model: { dim: 2, scorer: 'transe-l2', entityTypes: ['user', 'tweet', 'ad'], relations: [LIKES, SEES] },
    fingerprint: 'f',
    writer: { epoch: 3, space: 'space', stepBase: 100 },
    tuning: { epsilon: EPSILON, maxAgeMs: 60_000 },
    watermark: () => 1_234,
    clock: () => now.ms,
  });
  const rows: Row[] = [0, 1, 2, 3].map(() => [0, 0, 0]);
  /** A commit after which these rows are others. */
  const commit = (step: number, moved: Record<number, Row> = {}) => {
    Object.assign(rows, moved);
    vectors.take(Float32Array.from(rows.flat()), step);
  };
  /** What is sent, as key, numbers and step. */
  const send = () => {
    const messages = vectors.messages();
    vectors.acknowledged();
    return messages.map(({ key, value, headers }) => {
      const read = decodeRelation(String(key), headers, value);
      expect(read).toMatchObject({ epoch: 3, space: 'space' });
      return `${String(key)} ${[...read.vector].join(',')} @${read.step}${read.trained ? '' : ' untrained'}`;
    });
  };
  return { vectors, now, commit, send };
}

test('a process publishes every relation vector of its first commit, and says which are untrained', () => {
  const { vectors, commit, send } = relations();
  expect([vectors.due, send()]).toEqual([false, []]);
  commit(40, { 0: [0, 1, 2], 1: [1, 1, 2], 2: [2, 1, 0], 3: [3, 1, 0] });
  expect(vectors.due).toBe(true);
  expect(send()).toEqual([
    'relation:likes 0,1 @140',
    'relation:likes/inverse 1,1 @140',
    'relation:sees 2,1 @100 untrained',
    'relation:sees/inverse 3,1 @100 untrained',
  ]);
  expect([vectors.due, send()]).toEqual([false, []]);
});

test('a commit that comes before the one before was sent takes its place', () => {
  const { commit, send } = relations();
  commit(1, { 0: [1, 1, 1] });
  commit(2, { 0: [2, 2, 1] });
  expect(send()[0]).toBe('relation:likes 2,2 @102');
});

test('a vector goes out again once it moved further than epsilon, became old, or was trained the first time', () => {
  const { vectors, now, commit, send } = relations();
  const sent = () => send().map((each) => each.split(' ')[0]);
  commit(1, { 0: [0, 0, 1] });
  expect(sent()).toHaveLength(4);
  commit(2, { 0: [EPSILON - 0.01, 0, 1], 2: [0, 0, 0.5] });
  expect(send()).toEqual(['relation:sees 0,0 @102']);
  commit(3, { 0: [EPSILON + 0.01, 0, 1] });
  expect(sent()).toEqual(['relation:likes']);
  commit(4, { 0: [EPSILON, 0, 1] });
  expect(vectors.due).toBe(false);
  now.ms += 60_001;
  expect(sent()).toEqual(['relation:likes']);
});

test('what moves while it is being sent is due again, and a send that failed is repeated', () => {
  const { vectors, commit, send } = relations();
  commit(1, { 0: [1, 0, 1] });
  expect(vectors.messages()).toHaveLength(4);
  commit(2, { 0: [5, 0, 1] });
  vectors.acknowledged();
  expect(vectors.due).toBe(true);
  // Never acknowledged.
  vectors.messages();
  expect(send()).toEqual(['relation:likes 5,0 @102']);
});
