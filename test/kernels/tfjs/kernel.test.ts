import { describe, expect, test } from 'vitest';
import { loadTensorFlow } from '../../../src/kernels/tfjs/tensorflow.ts';
import type { ModelSettings } from '../../../src/model/settings.ts';
import { CROWDED, ROWS } from '../conformance/crowded.ts';
import { DEFAULTS, fill, kernelOnRandomRows, MODELS, SCORER_NAMES, snapshot } from '../fixture.ts';
import { TFJS_FOLDER, TFJS_SKIPPED } from './installed.ts';

describe.skipIf(TFJS_SKIPPED)('the tfjs kernel', () => {
  test.each(MODELS)('$scorer with $loss: frees every tensor', (model) => {
    const { tensorFlow } = loadTensorFlow([TFJS_FOLDER]);
    const { kernel } = kernelOnRandomRows('tfjs', { ...DEFAULTS, ...model }, { rows: ROWS });
    fill(kernel.chunk, CROWDED);
    const before = tensorFlow.memory().numTensors;
    for (let n = 0; n < 3; n++) {
      kernel.step();
      kernel.scoreMatrix(Int32Array.of(4), Int32Array.of(1), Int32Array.of(5, 6), new Float32Array(2));
    }
    expect(tensorFlow.memory().numTensors).toBe(before);
  });

  test.each(SCORER_NAMES)(
    '%s: an anchor equal to its positive moves as in the reference kernel',
    (scorer) => {
      // With accumulators at 0, a row without gradient stays, and any other row moves by a full step.
      const settings: ModelSettings = { ...DEFAULTS, scorer, dim: 4 };
      const [got, expected] = (['tfjs', 'reference'] as const).map((name) => {
        const { kernel, table } = kernelOnRandomRows(name, settings, { rows: ROWS });
        for (const row of [0, 1]) table.vector(row).fill(0.25);
        table.vector(4).fill(0.5);
        table.vector(5).fill(0.75);
        fill(kernel.chunk, { edges: [[4, 0, 5]], rhsCandidates: [8, 9], lhsCandidates: [10] });
        const loss = kernel.step();
        return { loss, ...snapshot(table) };
      });
      expect(got!.loss).toBeCloseTo(expected!.loss, 3);
      for (const [row, vector] of expected!.vectors.entries()) {
        for (const [k, x] of vector.entries()) {
          expect(got!.vectors[row]![k], `row ${row}, number ${k}`).toBeCloseTo(x, 5);
        }
      }
    },
  );
});
