import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import { DEFAULTS, fill, kernelOnRandomRows, MODELS, snapshot } from '../fixture.ts';
import { numericalGradient, plainLosses } from '../plain-loss.ts';
import { CROWDED, ROWS } from './crowded.ts';

/** Gradients and losses, compared with the loss as in the papers. */
export function gradients(name: KernelName): void {
  test.each(MODELS)('$scorer with $loss: gradients are the differences of the plain loss', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 6, learningRate: 1e5 };
    // √accumulator = rate, and no gradient changes so large an accumulator: a row moves by its gradient.
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, accumulator: 1e10 });
    fill(kernel.chunk, CROWDED);
    const before = snapshot(table);
    kernel.step();
    const after = snapshot(table);
    let largest = 0;
    for (let row = 0; row < ROWS; row++) {
      const expected = numericalGradient(before.vectors, row, kernel.chunk, settings);
      for (let k = 0; k < settings.dim; k++) {
        const moved = before.vectors[row]![k]! - after.vectors[row]![k]!;
        expect(moved, `row ${row}, number ${k}`).toBeCloseTo(expected[k]!, 5);
        largest = Math.max(largest, Math.abs(expected[k]!));
      }
    }
    expect(largest).toBeGreaterThan(0.1);
  });

  test.each(MODELS)('$scorer with $loss: gives the plain loss, in all and by edge', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 6 };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    fill(kernel.chunk, CROWDED);
    const { vectors } = snapshot(table);
    const total = kernel.step();
    const expected = plainLosses(vectors, kernel.chunk, settings);
    for (const [i, loss] of expected.entries()) expect(kernel.losses[i]).toBeCloseTo(loss, 4);
    expect(total).toBeCloseTo(
      expected.reduce((a, b) => a + b, 0),
      4,
    );
  });
}
