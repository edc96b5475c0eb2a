import { expect, test } from 'vitest';
import type { ModelSettings } from '../../src/model/settings.ts';
import { DEFAULTS, fill, kernelOnRandomRows, MODELS, randomContent, seeded, snapshot } from './fixture.ts';

const DIMS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 31, 33, 64, 127, 128, 130];
const SIZES = [
  { edges: 1, lhsCount: 0, rhsCount: 0 },
  { edges: 1, lhsCount: 1, rhsCount: 0 },
  { edges: 2, lhsCount: 3, rhsCount: 13 },
  { edges: 4, lhsCount: 8, rhsCount: 4 },
  { edges: 7, lhsCount: 12, rhsCount: 9 },
  { edges: 10, lhsCount: 13, rhsCount: 13 },
];

/*
 * Steps are from rows shared by both kernels, so that rounding does not add up. Accumulators start above 0: at 0,
 * Adagrad blows a gradient of pure rounding noise (an edge from a row to itself) up to a full step.
 */
test.each(MODELS)('wasm and reference agree: $scorer with $loss', ({ scorer, loss }) => {
  for (const dim of DIMS) {
    const random = seeded(1000 + dim);
    const rows = 40;
    const settings: ModelSettings = {
      ...DEFAULTS,
      dim,
      scorer,
      loss,
      beta: scorer === 'transe-l1' ? 2 / Math.sqrt(dim) : 3,
      margin: random() * 2 - 1,
      negativeWeight: 0.5 + random(),
      unitBall: random() < 0.5,
    };
    const options = { rows, seed: dim, accumulator: 0.01 };
    const fast = kernelOnRandomRows('wasm', settings, options);
    const slow = kernelOnRandomRows('reference', settings, options);
    for (const [n, size] of SIZES.entries()) {
      const content = randomContent(random, { relations: 3, rows, ...size });
      fill(fast.kernel.chunk, content);
      fill(slow.kernel.chunk, content);
      const where = `dim ${dim}, size ${n}`;
      const losses = [fast.kernel.step(), slow.kernel.step()] as const;
      expect(Math.abs(losses[0] - losses[1]), where).toBeLessThan(1e-5 * (1 + losses[1]));
      const got = snapshot(fast.table);
      const expected = snapshot(slow.table);
      for (let row = 0; row < rows; row++) {
        for (let k = 0; k < dim; k++) {
          const off = Math.abs(got.vectors[row]![k]! - expected.vectors[row]![k]!);
          if (!(off < 2e-6)) expect.fail(`${where}, row ${row}, number ${k}: off by ${off}`);
        }
        const scale = 1e-5 * (0.01 + expected.accumulators[row]!);
        expect(Math.abs(got.accumulators[row]! - expected.accumulators[row]!), where).toBeLessThan(scale);
        expect(Math.abs(got.drifts[row]! - expected.drifts[row]!), where).toBeLessThan(1e-5);
        fast.table.floats.set(
          slow.table.floats.subarray(slow.table.at(row), slow.table.at(row + 1)),
          fast.table.at(row),
        );
      }
    }
  }
});

test.each(MODELS)('wasm and reference agree after a long run: $scorer with $loss', ({ scorer, loss }) => {
  const settings: ModelSettings = { ...DEFAULTS, dim: 18, scorer, loss, unitBall: true };
  const fast = kernelOnRandomRows('wasm', settings, { rows: 200, maxEdges: 16, maxCandidates: 40 });
  const slow = kernelOnRandomRows('reference', settings, { rows: 200, maxEdges: 16, maxCandidates: 40 });
  const random = seeded(3);
  const losses = [0, 0];
  for (let n = 0; n < 60; n++) {
    const size = { relations: 3, rows: 200, edges: 16, lhsCount: 40, rhsCount: 37 };
    const content = randomContent(random, size);
    [fast, slow].forEach(({ kernel }, which) => {
      fill(kernel.chunk, content);
      losses[which]! += kernel.step();
    });
  }
  expect(losses[0]! / losses[1]!).toBeCloseTo(1, 3);
});
