import { expect, test } from 'vitest';
import type { KernelName } from '../../../src/model/kernel.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import {
  changedRows,
  DEFAULTS,
  fill,
  kernelOnRandomRows,
  MODELS,
  pairs,
  rowBytes,
  snapshot,
  triples,
} from '../fixture.ts';
import { numericalGradient, plainLosses } from '../plain-loss.ts';
import { CROWDED, ROWS } from './crowded.ts';

/** The effect of a step: its losses, which rows move, and how far. */
export function updates(name: KernelName): void {
  test.each(MODELS)('$scorer with $loss: every row of the chunk moves and no other byte changes', (model) => {
    const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 5, margin: 5 };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    fill(kernel.chunk, {
      edges: triples('5 0 6, 7 0 6'),
      lhsCandidates: [8, 5],
      rhsCandidates: [9, 10],
      rhsMasked: pairs('0 1, 1 1'),
    });
    const whole = new Uint8Array(table.memory.buffer);
    const past = whole.slice(table.base + ROWS * table.stride * 4);
    const before = rowBytes(table);
    kernel.step();
    // Relation 0 both ways, the ends, both sides' candidates; 10 is masked everywhere, relation 1 (rows 2, 3) unused.
    expect(changedRows(table, before, rowBytes(table))).toEqual([0, 1, 5, 6, 7, 8, 9]);
    expect(Buffer.compare(past, whole.slice(table.base + ROWS * table.stride * 4))).toBe(0);
    for (let row = 0; row < ROWS; row++) {
      const padding = table.floats.subarray(table.at(row) + table.dim, table.at(row) + table.accumulator);
      const spare = table.floats.subarray(table.at(row) + table.drift + 1, table.at(row + 1));
      expect([...padding, ...spare].every((x) => x === 0)).toBe(true);
    }
  });

  test.each(MODELS)(
    '$scorer with $loss: gives the plain loss; accumulators, steps and drifts follow from its gradients',
    (model) => {
      const settings: ModelSettings = { ...DEFAULTS, ...model, dim: 6 };
      const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS, accumulator: 0.25 });
      fill(kernel.chunk, CROWDED);
      for (let row = 0; row < ROWS; row++) table.floats[table.at(row) + table.drift] = 2;
      const before = snapshot(table);
      const total = kernel.step();
      const after = snapshot(table);
      const losses = plainLosses(before.vectors, kernel.chunk, settings);
      for (const [i, loss] of losses.entries()) expect(kernel.losses[i]).toBeCloseTo(loss, 4);
      const sum = losses.reduce((a, b) => a + b, 0);
      expect(total).toBeCloseTo(sum, 4);
      for (let row = 0; row < ROWS; row++) {
        const gradient = numericalGradient(before.vectors, row, kernel.chunk, settings);
        const accumulator = 0.25 + gradient.reduce((sum, g) => sum + g * g, 0) / 6;
        expect(after.accumulators[row]).toBeCloseTo(accumulator, 4);
        let square = 0;
        for (let k = 0; k < 6; k++) {
          const step = (-0.1 * gradient[k]!) / Math.sqrt(accumulator);
          expect(after.vectors[row]![k]! - before.vectors[row]![k]!).toBeCloseTo(step, 5);
          square += step * step;
        }
        expect(after.drifts[row]).toBeCloseTo(2 + Math.sqrt(square), 4);
      }
    },
  );

  test("the chunk's learning rate is that of its step, and the model's until another is set", () => {
    const settings: ModelSettings = { ...DEFAULTS, dim: 4, learningRate: 0.5 };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    // Rows 4 … 12 are in one chunk each: the first step of a row has the length of the rate times √dim.
    for (const [rate, lhs] of [
      [0.5, 4],
      [0.25, 7],
      [0.001, 10],
    ] as const) {
      if (rate !== 0.5) kernel.chunk.learningRate = rate;
      fill(kernel.chunk, { edges: [[lhs, 0, lhs + 1]], rhsCandidates: [lhs + 2] });
      const before = snapshot(table);
      kernel.step();
      const after = snapshot(table);
      for (const row of [lhs, lhs + 1, lhs + 2]) {
        const move = Math.hypot(...after.vectors[row]!.map((x, k) => x - before.vectors[row]![k]!));
        expect(move, `row ${row}`).toBeCloseTo(2 * rate, 5);
      }
    }
  });

  test('entities are scaled back into the unit ball, relations never; drift is the actual move', () => {
    const settings: ModelSettings = { ...DEFAULTS, dim: 3, scorer: 'twhin', learningRate: 3, unitBall: true };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
    fill(kernel.chunk, CROWDED);
    const before = snapshot(table);
    kernel.step();
    const after = snapshot(table);
    // A first step has the length of the rate times √dim, far out of the unit ball.
    for (let relationRow = 0; relationRow < 4; relationRow++) {
      expect(Math.hypot(...after.vectors[relationRow]!)).toBeGreaterThan(3);
    }
    for (const row of [4, 5, 6, 7, 8, 9, 10, 11, 12]) {
      expect(Math.hypot(...after.vectors[row]!)).toBeCloseTo(1, 5);
    }
    for (let row = 0; row < 13; row++) {
      const move = Math.hypot(...after.vectors[row]!.map((x, k) => x - before.vectors[row]![k]!));
      expect(after.drifts[row]).toBeCloseTo(move, 5);
    }
  });

  test('an updated row has drift, even if its vector ends unchanged', () => {
    // With so large an accumulator, the step is lost in rounding.
    const settings: ModelSettings = { ...DEFAULTS, dim: 1, scorer: 'twhin', unitBall: true };
    const { kernel, table } = kernelOnRandomRows(name, settings, { rows: 8, accumulator: 1e30 });
    fill(kernel.chunk, { edges: [[4, 0, 5]], rhsCandidates: [6] });
    const before = [...table.vector(5)];
    kernel.step();
    expect([...table.vector(5)]).toEqual(before);
    const drift = table.floats[table.at(5) + table.drift]!;
    expect(drift).toBeGreaterThan(0);
    expect(drift).toBeLessThan(1e-11);
  });
}
