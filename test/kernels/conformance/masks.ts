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
import { plainLosses } from '../plain-loss.ts';
import { ROWS } from './crowded.ts';

/** Masked and missing candidates. */
export function masks(name: KernelName): void {
  test.each(MODELS)('$scorer with $loss: a masked candidate has no effect', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 4 };
    const edges = [[4, 0, 5] as const, [6, 1, 7] as const];
    const step = (content: ChunkContent) => {
      const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, accumulator: 0.1 });
      fill(kernel.chunk, content);
      const loss = kernel.step();
      return { loss, ...snapshot(table) };
    };
    const both = (j: number) => [[0, j] as const, [1, j] as const];
    const masked = step({ edges, rhsCandidates: [8, 9, 10], rhsMasked: [...both(0), ...both(2)] });
    const absent = step({ edges, rhsCandidates: [9] });
    expect(masked.loss).toBeCloseTo(absent.loss, 5);
    for (let row = 0; row < ROWS; row++) {
      for (let k = 0; k < 4; k++) {
        expect(masked.vectors[row]![k]).toBeCloseTo(absent.vectors[row]![k]!, 6);
      }
    }
  });

  test.each(SCORER_NAMES)('%s with softmax: nothing moves without negatives', (scorer) => {
    for (const content of [
      { edges: [[4, 0, 5]] },
      {
        edges: [[4, 0, 5]],
        lhsCandidates: [6],
        lhsMasked: [[0, 0]],
        rhsCandidates: [7],
        rhsMasked: [[0, 0]],
      },
    ] satisfies ChunkContent[]) {
      const { kernel, table } = kernelOnRandomRows(name, { ...DEFAULTS, scorer }, { rows: ROWS });
      fill(kernel.chunk, content);
      const before = rowBytes(table);
      expect(kernel.step()).toBeCloseTo(0, 6);
      expect(changedRows(table, before, rowBytes(table))).toEqual([]);
    }
  });

  test.each(SCORER_NAMES)('%s with logistic: the positive alone is trained without negatives', (scorer) => {
    const settings: ModelSettings = { ...DEFAULTS, scorer, loss: 'logistic' };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    fill(kernel.chunk, { edges: [[4, 0, 5]] });
    const [plain] = plainLosses(snapshot(table).vectors, kernel.chunk, settings);
    const before = rowBytes(table);
    expect(kernel.step()).toBeCloseTo(plain!, 5);
    expect(changedRows(table, before, rowBytes(table))).toEqual([0, 1, 4, 5]);
  });

  test('an empty chunk does nothing', () => {
    const { kernel, table } = kernelOnRandomRows(name, DEFAULTS, { rows: ROWS });
    fill(kernel.chunk, { edges: [], lhsCandidates: [5], rhsCandidates: [6] });
    const before = rowBytes(table);
    expect(kernel.step()).toBe(0);
    expect(rowBytes(table).equals(before)).toBe(true);
  });
}
