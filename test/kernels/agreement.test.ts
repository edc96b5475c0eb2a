import { expect, test } from 'vitest';
import type { KernelName } from '../../src/model/kernel.ts';
import type { ModelSettings } from '../../src/model/settings.ts';
import {
  DEFAULTS,
  fill,
  foreignGradientsOf,
  kernelOnRandomRows,
  MODELS,
  randomContent,
  seeded,
  snapshot,
} from './fixture.ts';
import { TFJS_SKIPPED } from './tfjs/installed.ts';

const BUILDS: readonly KernelName[] = [
  'wasm-plain',
  'wasm-relaxed',
  ...(TFJS_SKIPPED ? [] : (['tfjs'] as const)),
];
/** Relative tolerance of accumulators. TensorFlow sums up to a thousand exponentials in float32, in its own order. */
const accumulatorsWithin = (kernel: KernelName) => (kernel === 'tfjs' ? 1e-4 : 1e-5);
/** Tolerance of a foreign row's gradient, relative to 1 plus its length. */
const GRADIENTS_WITHIN = 5e-6;
const CASES = BUILDS.flatMap((build) => MODELS.map((model) => ({ build, ...model })));

const DIMS = [1, 2, 3, 5, 8, 9, 15, 33, 64, 127, 130];
const SIZES = [
  { edges: 1, lhsCount: 0, rhsCount: 0 },
  { edges: 1, lhsCount: 1, rhsCount: 0 },
  { edges: 2, lhsCount: 3, rhsCount: 13 },
  { edges: 4, lhsCount: 8, rhsCount: 4 },
  { edges: 7, lhsCount: 12, rhsCount: 9 },
  { edges: 10, lhsCount: 13, rhsCount: 13 },
];

test.each(CASES)('$build and reference agree: $scorer with $loss', ({ build, scorer, loss }) => {
  for (const dim of DIMS) {
    const random = seeded(1000 + dim);
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
    agree(build, settings, SIZES, random);
  }
});

test.each([
  { dim: 16, edges: 3, candidates: 1024 },
  { dim: 50, edges: 66, candidates: 16 },
  { dim: 100, edges: 8, candidates: 100 },
  { dim: 300, edges: 5, candidates: 17 },
  { dim: 512, edges: 2, candidates: 30 },
])('all agree at dim $dim with $candidates negatives', ({ dim, edges, candidates }) => {
  for (const { build, scorer, loss } of CASES) {
    const settings: ModelSettings = {
      ...DEFAULTS,
      dim,
      scorer,
      loss,
      beta: scorer === 'transe-l1' ? 0.2 : 3,
    };
    agree(build, settings, [{ edges, lhsCount: candidates, rhsCount: candidates }], seeded(dim));
  }
});

/*
 * Steps a kernel and the reference on the same chunks, one of each size. Each step starts from fresh rows shared by
 * both: rounding does not add up, and no two L1 coordinates meet, where a rounding error decides the sign. Accumulators
 * start above 0: at 0, Adagrad blows a gradient of pure rounding noise (an edge from a row to itself) up to a full step.
 * Every fifth row is foreign.
 */
function agree(
  build: KernelName,
  settings: ModelSettings,
  sizes: readonly { edges: number; lhsCount: number; rhsCount: number }[],
  random: () => number,
): void {
  const { dim } = settings;
  const rows = 40;
  const options = {
    rows,
    seed: dim,
    accumulator: 0.01,
    maxEdges: Math.max(...sizes.map(({ edges }) => edges)),
    maxCandidates: Math.max(...sizes.flatMap(({ lhsCount, rhsCount }) => [lhsCount, rhsCount])),
  };
  const fast = kernelOnRandomRows(build, settings, options);
  const slow = kernelOnRandomRows('reference', settings, options);
  for (let row = 4; row < rows; row += 5)
    for (const { table } of [fast, slow]) table.markForeign(row, -1 - row);
  for (const [n, size] of sizes.entries()) {
    const content = randomContent(random, { relations: 3, rows, ...size });
    fill(fast.kernel.chunk, content);
    fill(slow.kernel.chunk, content);
    const where = `${build}, ${settings.scorer}, ${settings.loss}, dim ${dim}, size ${n}`;
    const losses = [fast.kernel.step(), slow.kernel.step()] as const;
    expect(Math.abs(losses[0] - losses[1]), where).toBeLessThan(1e-5 * (1 + losses[1]));
    const got = snapshot(fast.table);
    const expected = snapshot(slow.table);
    agreeOnForeign(fast, slow, where);
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < dim; k++) {
        const off = Math.abs(got.vectors[row]![k]! - expected.vectors[row]![k]!);
        if (!(off < 2e-6)) expect.fail(`${where}, row ${row}, number ${k}: off by ${off}`);
      }
      const scale = accumulatorsWithin(build) * (0.01 + Math.abs(expected.accumulators[row]!));
      expect(Math.abs(got.accumulators[row]! - expected.accumulators[row]!), where).toBeLessThan(scale);
      expect(Math.abs(got.drifts[row]! - expected.drifts[row]!), where).toBeLessThan(1e-5);
      for (let k = 0; k < dim; k++) slow.table.vector(row)[k] = (random() * 2 - 1) / Math.sqrt(dim);
      fast.table.floats.set(
        slow.table.floats.subarray(slow.table.at(row), slow.table.at(row + 1)),
        fast.table.at(row),
      );
    }
  }
}

/** Compares the gradients of foreign rows. A row that one kernel leaves out has a gradient of zeros, or nearly, in the other. */
function agreeOnForeign(
  fast: ReturnType<typeof kernelOnRandomRows>,
  slow: ReturnType<typeof kernelOnRandomRows>,
  where: string,
): void {
  const got = foreignGradientsOf(fast.kernel);
  const expected = foreignGradientsOf(slow.kernel);
  for (const row of new Set([...got.keys(), ...expected.keys()])) {
    expect(slow.table.isForeign(row), `${where}, row ${row}`).toBe(true);
    const zeros = new Float32Array(slow.table.dim);
    const [gradient, plain] = [got.get(row) ?? zeros, expected.get(row) ?? zeros];
    const within = GRADIENTS_WITHIN * (1 + Math.hypot(...plain));
    for (const [k, x] of plain.entries()) {
      const off = Math.abs(gradient[k]! - x);
      if (!(off < within))
        expect.fail(`${where}, gradient of row ${row}, number ${k}: off by ${off} of ${x}`);
    }
  }
}
