import { expect, test } from 'vitest';
import { decayed, RowUpdater, rateOf, sumOfSquares } from '../../src/model/adagrad.ts';
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

test.each([0, 1, 2, 3, 4, 5, 8, 11])('the sum of squares includes all of %i numbers', (dim) => {
  const expected = (dim * (dim + 1) * (2 * dim + 1)) / 6;
  expect(sumOfSquares(Float64Array.from({ length: dim }, (_, k) => -(k + 1)))).toBe(expected);
});

/** The row of a table after one update. */
function moved(
  vector: readonly number[],
  gradient: readonly number[] | Float32Array,
  { accumulator = 0, learningRate = 0.1, unitBall = false, isEntity = true } = {},
) {
  const table = new Table({ dim: vector.length, maxRows: 1, workspaceBytes: 0 });
  table.addRows(1);
  table.vector(0).set(vector);
  const { floats } = table;
  floats[table.at(0) + table.accumulator] = accumulator;
  const numbers = gradient instanceof Float32Array ? gradient : Float64Array.from(gradient);
  new RowUpdater(table, { unitBall }).update(0, numbers, isEntity, learningRate);
  return {
    vector: [...table.vector(0)],
    accumulator: floats[table.at(0) + table.accumulator],
    drift: floats[table.at(0) + table.drift],
  };
}

test('the accumulator grows by the mean square of the gradient, and its root divides the rate', () => {
  // Mean of 9 and 16 is 12.5; 12.5 + 3.5 = 16, whose root is 4.
  const { vector, accumulator, drift } = moved([1, 1], [3, -4], { accumulator: 3.5, learningRate: 0.8 });
  expect(accumulator).toBe(16);
  expect(vector[0]).toBeCloseTo(1 - 0.6, 6);
  expect(vector[1]).toBeCloseTo(1 + 0.8, 6);
  expect(drift).toBeCloseTo(1, 6);
});

test('a first step has the length of the rate times √dim, whatever the gradient', () => {
  const { vector, drift } = moved([0, 0, 0, 0], [1e-3, 1e-3, -1e-3, 1e-3]);
  expect(Math.hypot(...vector)).toBeCloseTo(0.2, 5);
  expect(drift).toBeCloseTo(0.2, 5);
});

test('only entities longer than 1 are scaled, and drift is the actual move', () => {
  const small = { accumulator: 1e12, unitBall: true };
  const long = moved([3, 4], [1e-9, 0], small);
  expect(long.vector[0]).toBeCloseTo(0.6, 6);
  expect(long.vector[1]).toBeCloseTo(0.8, 6);
  expect(long.drift).toBeCloseTo(4, 5);
  expect(moved([0.5, 0.25], [1e-9, 0], small).vector).toEqual([0.5, 0.25]);
  expect(moved([3, 4], [1e-9, 0], { ...small, isEntity: false }).vector).toEqual([3, 4]);
});

test('a row with a zero gradient is not changed, and every other row drifts', () => {
  expect(moved([1, 1], [0, 0])).toEqual({ vector: [1, 1], accumulator: 0, drift: 0 });
  expect(moved([1, 1], [1e-9, 0], { accumulator: 1e12 }).drift).toBe(Math.fround(1e-12));
});

test('a gradient in float32 moves a row as the same numbers in float64 do', () => {
  const [plain, single] = [[0.5, -0.25], Float32Array.of(0.5, -0.25)].map((gradient) =>
    moved([0.75, 0.5], gradient, { unitBall: true, learningRate: 0.5 }),
  );
  expect(single).toEqual(plain);
  // The step of √2 · 0.5 leads out of the unit ball.
  expect(Math.hypot(...plain!.vector)).toBeLessThanOrEqual(1 + 1e-6);
  expect(plain!.vector[0]).not.toBe(0.75);
});

test('a foreign row is not changed by any gradient', () => {
  const table = new Table({ dim: 2, maxRows: 1, workspaceBytes: 0 });
  table.addRows(1);
  table.vector(0).set([3, 4]);
  table.markForeign(0);
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
  table.markForeign(1);
  const updater = new RowUpdater(table, { unitBall: true });
  updater.update(0, gradient, true, 0.5);
  expect(updater.updateCopy(1, gradient, 0.5, 0.5)).toBe(floats[table.at(0) + accumulator]);
  expect([...table.vector(1)]).toEqual([...table.vector(0)]);
  expect([...table.vector(1)]).not.toEqual(start);
  // Still a copy, which no other step moves.
  expect(table.isForeign(1)).toBe(true);
  expect(updater.updateCopy(1, Float32Array.of(0, 0), 3, 0.5)).toBe(3);
});
