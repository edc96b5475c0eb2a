import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import {
  changedRows,
  DEFAULTS,
  fill,
  kernelOnRandomRows,
  MODELS,
  rowBytes,
  snapshot,
  triples,
} from '../fixture.ts';
import { ROWS } from './crowded.ts';

/** Scores far apart, and equal vectors. */
export function extremes(name: KernelName): void {
  // e^−100 is not a float32, e^−28 is: both must count as 0.
  test.each([30, 100].flatMap((beta) => MODELS.map((model) => ({ ...model, beta }))))(
    '$scorer with $loss, beta $beta: far negatives are not moved at all',
    (model) => {
      const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 4, margin: 2 };
      const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
      for (let row = 0; row < ROWS; row++) table.vector(row).fill(0);
      for (const row of [4, 5]) table.vector(row)[0] = 1;
      table.vector(8)[0] = -1;
      table.vector(9)[0] = 0.99;
      fill(kernel.chunk, { edges: [[4, 0, 5]], rhsCandidates: [8, 9], lhsCandidates: [8, 9] });
      const before = rowBytes(table);
      kernel.step();
      const changed = changedRows(table, before, rowBytes(table));
      expect(changed).not.toContain(8);
      expect(changed).toContain(9);
    },
  );

  test.each(MODELS)('$scorer with $loss: huge scores and equal vectors stay finite', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 4, beta: 1000 };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, norm: 30 });
    for (let row = 0; row < 4; row++) table.vector(row).fill(0);
    // Anchor, positive and one candidate are equal; another candidate is very near.
    for (const row of [5, 8, 9]) table.vector(row).set(table.vector(4));
    table.vector(9)[0]! += 1e-5;
    fill(kernel.chunk, {
      edges: triples('4 0 5, 6 1 7'),
      lhsCandidates: [8, 9, 10, 6],
      rhsCandidates: [8, 9, 11, 7],
    });
    for (let n = 0; n < 3; n++) {
      expect(Number.isFinite(kernel.step())).toBe(true);
      const { vectors, accumulators, drifts } = snapshot(table);
      const all = [...vectors.flatMap((vector) => [...vector]), ...accumulators, ...drifts];
      expect(all.every(Number.isFinite)).toBe(true);
    }
  });
}
