import { describe, expect, test } from 'vitest';
import { bestRotation, driftOf, rotate } from '../../../src/evaluation/compare/drift.ts';
import { randomRows, turned, turns } from './random-rows.ts';

describe('driftOf', () => {
  test('computes distance and cosine of each pair', () => {
    // (3, 4) to (3, 4): 0 and 1. (1, 0) to (0, 1): √2 and 0. (1, 0) to (-2, 0): 3 and -1. (0, 0) to (0, 2): 2 and, by rule, 0.
    const as = Float32Array.of(3, 4, 1, 0, 1, 0, 0, 0);
    const bs = Float32Array.of(3, 4, 0, 1, -2, 0, 0, 2);
    const drift = driftOf(as, bs, 2);
    expect(drift?.entities).toBe(4);
    expect(drift?.distance.mean).toBeCloseTo((0 + Math.SQRT2 + 3 + 2) / 4, 12);
    expect(drift?.distance.p99).toBe(3);
    expect(drift?.cosine.mean).toBeCloseTo(0, 12);
    expect(drift?.cosine.p01).toBeCloseTo(-1, 12);
  });

  test('p99 and p01 leave out the worst hundredth', () => {
    // 200 entities, the i-th moved by i: the two furthest are 198 and 199.
    const as = new Float32Array(200).fill(1);
    const bs = as.map((x, i) => x + i);
    expect(driftOf(as, bs, 1)?.distance.p99).toBe(197);
    // Two point the opposite way: 1 in 100. A third would be seen.
    const backwards = as.map((x, i) => (i < 2 ? -x : x));
    expect(driftOf(as, backwards, 1)?.cosine.p01).toBe(1);
    backwards[2] = -1;
    expect(driftOf(as, backwards, 1)?.cosine.p01).toBe(-1);
  });

  test('rotates A first where a rotation is given', () => {
    const [as, bs] = [Float32Array.of(1, 0, 0, 2), Float32Array.of(0, 1, -2, 0)];
    const drift = driftOf(as, bs, 2, Float64Array.of(0, 1, -1, 0));
    expect(drift?.distance).toEqual({ mean: 0, p99: 0 });
    expect(drift?.cosine).toEqual({ mean: 1, p01: 1 });
  });

  test('gives undefined without entities', () => {
    expect(driftOf(new Float32Array(0), new Float32Array(0), 3)).toBeUndefined();
  });
});

function expectClose(found: Float64Array | undefined, expected: ArrayLike<number>): void {
  expect(found).toHaveLength(expected.length);
  found?.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 5);
  });
}

describe('bestRotation', () => {
  test('finds a quarter turn from two points', () => {
    // (1, 0) goes to (0, 1) and (0, 2) to (-2, 0).
    const rotation = bestRotation(Float32Array.of(1, 0, 0, 2), Float32Array.of(0, 1, -2, 0), 2);
    expectClose(rotation, [0, 1, -1, 0]);
  });

  test('finds a reflection', () => {
    expectClose(bestRotation(Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 0, 0, -1), 2), [1, 0, 0, -1]);
  });

  test.each([3, 16, 48])('finds the rotation that was applied in %i dimensions', (dim) => {
    const rows = randomRows(10 * dim * dim, dim);
    const matrix = turns(dim, 7);
    expectClose(bestRotation(rows, turned(rows, matrix, dim), dim), matrix);
  });

  test('keeps lengths: a longer copy is rotated, not scaled', () => {
    const rows = randomRows(400, 1);
    const matrix = turns(4, 2);
    expectClose(
      bestRotation(
        rows,
        turned(rows, matrix, 4).map((x) => 3 * x),
        4,
      ),
      matrix,
    );
  });

  test('finds the rotation though one direction is a thousand times shorter', () => {
    const rows = randomRows(400, 5).map((x, at) => (at % 4 === 3 ? x / 1000 : x));
    const matrix = turns(4, 6);
    const found = bestRotation(rows, turned(rows, matrix, 4), 4);
    found?.forEach((value, i) => {
      expect(value).toBeCloseTo(matrix[i]!, 2);
    });
    expect(found).toBeDefined();
  });

  test('is nearer than any of a hundred other rotations where the rows are noise', () => {
    const [a, b] = [randomRows(90, 1), randomRows(90, 2)];
    const distance = (matrix: Float64Array) =>
      turned(a, matrix, 3).reduce((sum, x, at) => sum + (x - b[at]!) ** 2, 0);
    const best = distance(bestRotation(a, b, 3)!);
    for (let seed = 0; seed < 100; seed++) expect(best).toBeLessThan(distance(turns(3, seed)));
  });

  test('gives undefined where rows span too few directions', () => {
    expect(bestRotation(new Float32Array(6), new Float32Array(6), 2)).toBeUndefined();
    expect(bestRotation(Float32Array.of(1, 1, 2, 2), Float32Array.of(1, 0, 2, 0), 2)).toBeUndefined();
    expect(bestRotation(new Float32Array(0), new Float32Array(0), 2)).toBeUndefined();
    // A third direction that exists only by rounding.
    const flat = randomRows(300, 8).map((x, at) => (at % 3 === 2 ? x * 1e-9 : x));
    expect(bestRotation(flat, flat, 3)).toBeUndefined();
  });
});

test('rotate multiplies a row by a matrix', () => {
  const out = Float64Array.of(9, 9);
  rotate(Float32Array.of(2, 3), Float64Array.of(1, 10, 100, 1000), out);
  expect([...out]).toEqual([302, 3020]);
});
