import { expect, test } from 'vitest';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import type { Triples } from '../../../src/pipeline/training/trainer.ts';

const list = ({ lhs, relation, rhs }: Triples) => [...lhs].map((each, i) => [each, relation[i], rhs[i]]);

test('holds edges in the order they came, and what they change', () => {
  const batch = new OpenBatch();
  expect(batch.empty).toBe(true);
  batch.newEntity(1);
  batch.newEntity(0);
  batch.changed(4, 0, 5, false, true);
  batch.train(4, 0, 5);
  batch.train(6, 1, 5);
  batch.train(4, 0, 5);
  const closed = batch.close();
  expect([batch.empty, batch.edges, [...closed.newTypes]]).toEqual([false, 3, [1, 0]]);
  expect(list(closed.edges)).toEqual([
    [4, 0, 5],
    [6, 1, 5],
    [4, 0, 5],
  ]);
  expect([list(closed.added), list(closed.removed)]).toEqual([[[4, 0, 5]], []]);
});

test('tells of entities on rows that were others before', () => {
  const batch = new OpenBatch();
  batch.newEntityOn(9, 1);
  batch.newEntity(0);
  batch.newEntityOn(4, 0);
  expect(batch.empty).toBe(false);
  const { reused, newTypes } = batch.close();
  expect([[...reused.rows], [...reused.types], [...newTypes]]).toEqual([[4, 9], [0, 1], [0]]);
});

test('tells of an edge only where it ends otherwise than it began', () => {
  const batch = new OpenBatch();
  // Put in and taken out, taken out and put in, taken out, and in at last.
  batch.changed(1, 0, 2, false, true);
  batch.changed(1, 0, 2, true, false);
  batch.changed(1, 0, 3, true, false);
  batch.changed(1, 0, 3, false, true);
  batch.changed(1, 0, 4, true, false);
  batch.changed(1, 0, 5, false, true);
  batch.changed(1, 0, 5, true, false);
  batch.changed(1, 0, 5, false, true);
  const { added, removed } = batch.close();
  expect([list(added), list(removed)]).toEqual([[[1, 0, 5]], [[1, 0, 4]]]);
});

test('trains nothing that touches a dropped row', () => {
  const batch = new OpenBatch();
  batch.train(4, 0, 5);
  batch.train(5, 0, 6);
  batch.train(6, 0, 4);
  batch.reset(5);
  batch.drop(5);
  const { edges, dropped, reset } = batch.close();
  expect([list(edges), [...dropped], [...reset]]).toEqual([[[6, 0, 4]], [5], []]);
});

test('trains on a reset row what came after', () => {
  const batch = new OpenBatch();
  batch.train(4, 0, 5);
  batch.reset(4);
  batch.train(4, 0, 6);
  const { edges, dropped, reset } = batch.close();
  expect([list(edges), [...dropped], [...reset]]).toEqual([[[4, 0, 6]], [], [4]]);
});

test('is not empty with a single thing of any kind in it', () => {
  const fills: ((batch: OpenBatch) => void)[] = [
    (batch) => batch.newEntity(0),
    (batch) => batch.changed(1, 0, 2, true, false),
    (batch) => batch.train(1, 0, 2),
    (batch) => batch.drop(1),
    (batch) => batch.reset(1),
  ];
  for (const fill of fills) {
    const batch = new OpenBatch();
    fill(batch);
    expect(batch.empty, String(fill)).toBe(false);
  }
});
