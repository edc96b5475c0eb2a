import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import { DEFAULTS, fill, kernelOnRandomRows, rowBytes, SCORER_NAMES, snapshot } from '../fixture.ts';
import { plainScore, plus } from '../plain-loss.ts';
import { CROWDED, ROWS } from './crowded.ts';

/** Scores, by hand-worked numbers and by formula. */
export function scoring(name: KernelName): void {
  test.each([
    // anchor + relation − candidate = (1, 1, 1) + (3, −4, 0) − (1, 1, 1); β = 2.
    { scorer: 'transe-l1', score: -14 },
    { scorer: 'transe-l2', score: -10 },
    { scorer: 'twhin', score: 4 },
  ] as const)('$scorer scores by hand-worked numbers', ({ scorer, score }) => {
    const { kernel, table } = kernelOnRandomRows(name, { ...DEFAULTS, scorer }, { rows: ROWS });
    table.vector(4).fill(1);
    table.vector(1).set([3, -4, 0]);
    table.vector(5).fill(1);
    const out = new Float32Array(1);
    kernel.scoreMatrix(Int32Array.of(4), Int32Array.of(1), Int32Array.of(5), out);
    expect(out[0]).toBeCloseTo(score, 5);
  });

  test.each(SCORER_NAMES)(
    '%s scores a matrix of any size, and leaves the chunk and the rows alone',
    (scorer) => {
      const settings: ModelSettings = { ...DEFAULTS, scorer, dim: 7 };
      const { kernel, table } = kernelOnRandomRows(name, settings, { rows: 60, maxCandidates: 13 });
      // An anchor that meets its candidate exactly, where a product of float32 would cancel.
      table.vector(59).set(plus(Float64Array.from(table.vector(4)), Float64Array.from(table.vector(2))));
      fill(kernel.chunk, CROWDED);
      const before = rowBytes(table);
      const { vectors } = snapshot(table);
      const chunk = structuredClone({ ...kernel.chunk });
      for (const [anchorCount, count] of [
        ...[[1, 1] as const, [1, 26] as const, [3, 12] as const, [10, 13] as const],
        ...[[11, 14] as const, [23, 40] as const, [0, 3] as const, [3, 0] as const],
      ]) {
        const anchors = Int32Array.from({ length: anchorCount }, (_, i) => 4 + i);
        const relationRows = Int32Array.from({ length: anchorCount }, (_, i) => 2 + (i % 2));
        const candidates = Int32Array.from({ length: count }, (_, j) => 59 - j);
        const out = new Float32Array(anchorCount * count + 1).fill(77);
        kernel.scoreMatrix(anchors, relationRows, candidates, out);
        for (let i = 0; i < anchorCount; i++) {
          const moved = plus(vectors[anchors[i]!]!, vectors[relationRows[i]!]!);
          for (let j = 0; j < count; j++) {
            const expected = plainScore(moved, vectors[candidates[j]!]!, settings);
            expect(Math.abs(out[i * count + j]! - expected)).toBeLessThan(3e-4);
          }
        }
        expect(out[anchorCount * count]).toBe(77);
      }
      expect(rowBytes(table).equals(before)).toBe(true);
      expect({ ...kernel.chunk }).toEqual(chunk);
    },
  );
}
