import { expect, test } from 'vitest';
import { RowUpdater } from '../../../src/model/adagrad.ts';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import {
  changedRows,
  DEFAULTS,
  fill,
  foreignGradientsOf,
  kernelOnRandomRows,
  MODELS,
  rowBytes,
  snapshot,
} from '../fixture.ts';
import { CROWDED, ROWS } from './crowded.ts';

/** Foreign rows in the roles that they have in the crowded chunk. */
const CASES: readonly (readonly [role: string, rows: readonly number[]])[] = [
  ['in every role, and twice among the candidates', [4]],
  ['positives that are candidates too', [5, 6, 8]],
  ['candidates alone, one of them twice', [10, 11, 12]],
  ['an anchor that is its own positive', [9]],
  ['anchors and candidates', [4, 7, 12]],
  ['rows of a relation', [0, 1]],
  ['all rows, even one outside the chunk', Array.from({ length: ROWS }, (_, row) => row)],
];

/** Rows that belong to another shard. */
export function foreign(name: KernelName): void {
  test.each(MODELS)(
    '$scorer with $loss: no byte of a foreign row changes, and others move alike',
    (model) => {
      // Steps so large that they leave the unit ball.
      const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 6, learningRate: 2, unitBall: true };
      const own = stepOnCrowded(name, settings, []);
      for (const [role, rows] of CASES) {
        const { loss, losses, before, kernel, table } = stepOnCrowded(name, settings, rows);
        expect(loss, role).toBe(own.loss);
        expect(losses, role).toEqual(own.losses);
        const changed = changedRows(table, before, rowBytes(table));
        for (const row of rows) expect(changed, role).not.toContain(row);
        const expected = snapshot(own.table);
        const stayed = snapshot(table);
        // The owner of the rows applies their gradients.
        const updater = new RowUpdater(table, settings);
        for (const row of rows) table.floats[table.at(row) + table.accumulator] = 0.25;
        for (const [row, gradient] of foreignGradientsOf(kernel)) {
          updater.update(row, gradient, row >= 4, settings.learningRate);
        }
        const got = snapshot(table);
        const isForeign = new Set(rows);
        for (let row = 0; row < ROWS; row++) {
          if (!isForeign.has(row)) {
            expect(stayed.vectors[row], `${role}: row ${row}`).toEqual(expected.vectors[row]);
            expect(stayed.accumulators[row]).toBe(expected.accumulators[row]);
            expect(stayed.drifts[row]).toBe(expected.drifts[row]);
            continue;
          }
          for (const [k, x] of expected.vectors[row]!.entries()) {
            expect(got.vectors[row]![k], `${role}: row ${row}, number ${k}`).toBeCloseTo(x, 5);
          }
          expect(got.accumulators[row]).toBeCloseTo(expected.accumulators[row]!, 4);
          expect(got.drifts[row]).toBeCloseTo(expected.drifts[row]!, 5);
        }
      }
    },
  );

  test('the gradients are those of the last step, and stay when rows are scored or marked after it', () => {
    const { kernel, table } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    expect(foreignGradientsOf(kernel).size).toBe(0);
    for (const row of [5, 6]) table.markForeign(row, -2);
    fill(kernel.chunk, { edges: [[4, 0, 5]], rhsCandidates: [7] });
    kernel.step();
    const first = foreignGradientsOf(kernel);
    expect([...first.keys()]).toEqual([5]);
    const [anchors, relationRows] = [Int32Array.of(6, 8, 9, 10, 11), Int32Array.of(2, 3, 2, 3, 2)];
    kernel.scoreMatrix(anchors, relationRows, anchors, new Float32Array(25));
    table.markForeign(7, -1);
    expect(foreignGradientsOf(kernel)).toEqual(first);

    fill(kernel.chunk, { edges: [[6, 0, 8]], rhsCandidates: [9] });
    kernel.step();
    expect([...foreignGradientsOf(kernel).keys()]).toEqual([6]);
    for (const content of [
      { edges: [[8, 0, 9] as const], rhsCandidates: [10] },
      { edges: [], rhsCandidates: [5] },
      { edges: [[5, 0, 6] as const] },
    ]) {
      fill(kernel.chunk, { edges: [[6, 0, 8]], rhsCandidates: [9] });
      kernel.step();
      fill(kernel.chunk, content);
      kernel.step();
      const numbers = [...foreignGradientsOf(kernel).values()].flatMap((gradient) => [...gradient]);
      expect(numbers.filter((x) => x !== 0)).toEqual([]);
    }
  });
}

/** A step on the crowded chunk, with these rows foreign and the accumulators of all others at 0.25. */
function stepOnCrowded(name: KernelName, settings: ModelSettings, foreignRows: readonly number[]) {
  const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, accumulator: 0.25 });
  for (const row of foreignRows) table.markForeign(row, -2);
  fill(kernel.chunk, CROWDED);
  const before = rowBytes(table);
  const loss = kernel.step();
  return { kernel, table, before, loss, losses: [...kernel.losses.subarray(0, kernel.chunk.edges)] };
}
