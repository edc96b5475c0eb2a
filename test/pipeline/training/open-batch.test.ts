import { expect, test } from 'vitest';
import { OpenBatch } from '../../../src/pipeline/training/open-batch.ts';
import { saidBy } from './trainer-fixture.ts';

test('says what came, in the order it came, however much it is', () => {
  const batch = new OpenBatch();
  expect(batch.empty).toBe(true);
  batch.newEntity(1);
  batch.newEntity(0);
  batch.newEntityOn(9, 1);
  batch.newEntityOn(4, 0);
  batch.changed(4, 255, 5, false, true);
  batch.changed(6, 1, 5, true, true);
  batch.changed(4, 255, 5, true, false);
  // Nothing was there, and nothing is.
  batch.changed(7, 0, 5, false, false);
  const many = Array.from({ length: 3000 }, (_, i) => `${i} 2 5`);
  for (const i of many.keys()) batch.changed(i, 2, 5, false, true);
  expect([batch.empty, batch.edges]).toEqual([false, 3002]);
  expect(saidBy(batch.close())).toEqual({
    newTypes: [1, 0],
    reused: [
      [4, 0],
      [9, 1],
    ],
    ...{ dropped: [], reset: [] },
    trained: ['4 255 5', '6 1 5', ...many],
    changed: ['4 255 5', '-4 255 5', ...many],
  });
});

test('trains nothing that touches a dropped row, and on a reset row what came after', () => {
  const batch = new OpenBatch();
  batch.changed(4, 0, 5, false, true);
  batch.changed(6, 0, 4, true, true);
  batch.changed(6, 0, 7, true, true);
  batch.reset(5);
  batch.drop(5);
  batch.reset(7);
  batch.changed(7, 0, 6, true, true);
  expect(batch.edges).toBe(2);
  expect(saidBy(batch.close())).toEqual({
    ...{ newTypes: [], reused: [] },
    ...{ dropped: [5], reset: [7], trained: ['6 0 4', '7 0 6'], changed: ['4 0 5'] },
  });
});

test.each<(batch: OpenBatch) => void>([
  (batch) => batch.newEntity(0),
  (batch) => batch.newEntityOn(1, 0),
  (batch) => batch.changed(1, 0, 2, true, false),
  (batch) => batch.changed(1, 0, 2, true, true),
  (batch) => batch.drop(1),
  (batch) => batch.reset(1),
])('is not empty with a single thing of any kind in it: %s', (fill) => {
  const batch = new OpenBatch();
  fill(batch);
  expect(batch.empty).toBe(false);
});
