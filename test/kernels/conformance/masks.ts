import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import {
  type ChunkContent,
  changedRows,
  DEFAULTS,
  fill,
  kernelOnRandomRows,
  MODELS,
  rowBytes,
  SCORER_NAMES,
  snapshot,
} from '../fixture.ts';
import { numericalGradient, plainLosses } from '../plain-loss.ts';
import { ROWS } from './crowded.ts';

/** Edges whose rows are in one role each. */
const EDGES = [[4, 0, 5] as const, [6, 1, 7] as const];
const ALL_MASKED: ChunkContent = {
  edges: [[4, 0, 5]],
  lhsCandidates: [6],
  lhsMasked: [[0, 0]],
  rhsCandidates: [7],
  rhsMasked: [[0, 0]],
};

/** Masked and missing candidates. */
export function masks(name: KernelName): void {
  test.each(
    SCORER_NAMES.flatMap((scorer) => [
      { scorer, loss: 'softmax' as const, moving: [] },
      { scorer, loss: 'logistic' as const, moving: [0, 1, 4, 5] },
    ]),
  )('$scorer with $loss: where all candidates are masked, rows $moving move', ({ moving, ...model }) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    fill(kernel.chunk, ALL_MASKED);
    const [plain] = plainLosses(snapshot(table).vectors, kernel.chunk, settings);
    const before = rowBytes(table);
    expect(kernel.step()).toBeCloseTo(plain!, model.loss === 'softmax' ? 6 : 5);
    expect(changedRows(table, before, rowBytes(table))).toEqual(moving);
  });

  test.each(MODELS)('$scorer with $loss: no side without candidates or edges is trained', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 6, margin: 5, learningRate: 1e5 };
    for (const [content, moving] of [
      [{ edges: EDGES, rhsCandidates: [8, 9, 8] }, [0, 2, 4, 5, 6, 7, 8, 9]],
      [{ edges: EDGES, lhsCandidates: [8, 9, 8] }, [1, 3, 4, 5, 6, 7, 8, 9]],
      [{ edges: EDGES }, []],
      [{ edges: [], lhsCandidates: [5], rhsCandidates: [6] }, []],
    ] satisfies [ChunkContent, number[]][]) {
      // √accumulator = rate, and no gradient changes so large an accumulator: a row moves by its gradient.
      const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, accumulator: 1e10 });
      // A side that is not trained leaves nothing of an earlier step behind, in losses or gradients.
      fill(kernel.chunk, { edges: EDGES, lhsCandidates: [10, 11], rhsCandidates: [10, 11] });
      const [bytes, before, floats] = [rowBytes(table), snapshot(table), table.floats.slice(table.at(0))];
      kernel.step();
      table.floats.set(floats, table.at(0));
      fill(kernel.chunk, content);
      const loss = kernel.step();
      const after = snapshot(table);
      expect(changedRows(table, bytes, rowBytes(table))).toEqual(moving);
      const expected = plainLosses(before.vectors, kernel.chunk, settings);
      for (const [i, plain] of expected.entries()) expect(kernel.losses[i]).toBeCloseTo(plain, 4);
      const sum = expected.reduce((a, b) => a + b, 0);
      expect(loss).toBeCloseTo(sum, 4);
      if (moving.length === 0)
        expect([loss, ...kernel.losses.subarray(0, expected.length)]).toEqual([0, ...expected]);
      for (let row = 0; row < ROWS; row++) {
        const gradient = numericalGradient(before.vectors, row, kernel.chunk, settings);
        for (const [k, x] of gradient.entries()) {
          const moved = before.vectors[row]![k]! - after.vectors[row]![k]!;
          expect(moved, `row ${row}, number ${k}`).toBeCloseTo(x, 5);
        }
      }
    }
  });
}
