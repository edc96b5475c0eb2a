import { expect, test } from 'vitest';
import { decayed, RowUpdater, rateOf } from '../../src/model/adagrad.ts';
import { Table } from '../../src/model/table.ts';

test("the rate is divided by the accumulator's root, and finite at 0", () => {
  expect(rateOf(16, 0.8)).toBeCloseTo(0.2, 8);
  expect(rateOf(0, 0.1)).toBe(0.1 / 1e-8);
});

test.each([
  [0, 0.08],
  [25, 0.06],
  [50, 0.04],
  [98, 0.0016],
  [99, 0.0008],
  [100, 0.0008],
  [1_000_000, 0.0008],
])('the rate .08 that decays over 100 steps is, after %i steps, %d', (step, rate) => {
  expect(decayed(0.08, step, 100)).toBeCloseTo(rate, 12);
});

test('a rate that does not decay is the same number at every step', () => {
  for (const step of [0, 1, 1e9]) expect(decayed(0.08, step, undefined)).toBe(0.08);
});

test('a foreign row is not changed by any gradient', () => {
  const table = new Table({ dim: 2, maxRows: 1, workspaceBytes: 0 });
  table.addRows(1);
  table.vector(0).set([3, 4]);
  table.markForeign(0, -1);
  new RowUpdater(table, { unitBall: true }).update(0, Float64Array.of(1, 2), true, 0.1);
  expect([...table.floats.subarray(table.at(0), table.at(1))]).toEqual([3, 4, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0]);
});

test('a copy moves as the row of its owner does, and its accumulator grows alike', () => {
  const [start, gradient] = [[0.75, 0.5], Float32Array.of(-2, 1)];
  const table = new Table({ dim: 2, maxRows: 2, workspaceBytes: 0 });
  table.addRows(2);
  for (const row of [0, 1]) table.vector(row).set(start);
  const { floats, accumulator } = table;
  floats[table.at(0) + accumulator] = 0.5;
  table.markForeign(1, -1);
  const updater = new RowUpdater(table, { unitBall: true });
  updater.update(0, gradient, true, 0.5);
  expect(updater.updateCopy(1, gradient, 0.5, 0.5)).toBe(floats[table.at(0) + accumulator]);
  expect([...table.vector(1)]).toEqual([...table.vector(0)]);
  expect([...table.vector(1)]).not.toEqual(start);
  // Still a copy, which no other step moves.
  expect(table.isForeign(1)).toBe(true);
  expect(updater.updateCopy(1, Float32Array.of(0, 0), 3, 0.5)).toBe(3);
});
