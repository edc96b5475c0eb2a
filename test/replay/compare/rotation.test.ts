import { describe, expect, test } from 'vitest';
import { bestRotation, rotate } from '../../../src/replay/compare/rotation.ts';
import { randomRows, turned, turns } from './random-rows.ts';

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

  test('finds a mirror', () => {
    expectClose(bestRotation(Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 0, 0, -1), 2), [1, 0, 0, -1]);
  });

  test.each([3, 16, 48])('finds the rotation that was applied in %i dimensions', (dim) => {
    const rows = randomRows(10 * dim * dim, dim);
    const matrix = turns(dim, 7);
    expectClose(bestRotation(rows, turned(rows, matrix, dim), dim), matrix);
  });

  test('leaves lengths alone: a longer copy is turned, not stretched', () => {
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

  test('finds it though one direction is a thousand times shorter', () => {
    const rows = randomRows(400, 5).map((x, at) => (at % 4 === 3 ? x / 1000 : x));
    const matrix = turns(4, 6);
    const found = bestRotation(rows, turned(rows, matrix, 4), 4);
    found?.forEach((value, i) => {
      expect(value).toBeCloseTo(matrix[i]!, 2);
    });
    expect(found).toBeDefined();
  });

  test('comes nearer than any other of a hundred, where the rows are noise', () => {
    const [a, b] = [randomRows(90, 1), randomRows(90, 2)];
    const distance = (matrix: Float64Array) =>
      turned(a, matrix, 3).reduce((sum, x, at) => sum + (x - b[at]!) ** 2, 0);
    const best = distance(bestRotation(a, b, 3)!);
    for (let seed = 0; seed < 100; seed++) expect(best).toBeLessThan(distance(turns(3, seed)));
  });

  test('gives none where rows span too few directions', () => {
    expect(bestRotation(new Float32Array(6), new Float32Array(6), 2)).toBeUndefined();
    expect(bestRotation(Float32Array.of(1, 1, 2, 2), Float32Array.of(1, 0, 2, 0), 2)).toBeUndefined();
    expect(bestRotation(new Float32Array(0), new Float32Array(0), 2)).toBeUndefined();
    // A third direction that is there in rounding alone.
    const flat = randomRows(300, 8).map((x, at) => (at % 3 === 2 ? x * 1e-9 : x));
    expect(bestRotation(flat, flat, 3)).toBeUndefined();
  });
});

test('rotate multiplies a row by a matrix', () => {
  const out = Float64Array.of(9, 9);
  rotate(Float32Array.of(2, 3), Float64Array.of(1, 10, 100, 1000), out);
  expect([...out]).toEqual([302, 3020]);
});
