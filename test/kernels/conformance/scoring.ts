import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import { DEFAULTS, fill, kernelOnRandomRows, rowBytes, SCORER_NAMES, snapshot } from '../fixture.ts';
import { plainScore, plus } from '../plain-loss.ts';
import { CROWDED } from './crowded.ts';

/** Scores, by formula. */
export function scoring(name: KernelName): void {
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
