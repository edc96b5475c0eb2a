import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { project } from '../../src/watch/views.ts';

/** Vectors of 4 numbers that differ by 3 in the first number, by 1 in the third, and in no other number. */
const CROSS = [
  [3, 5, 0, 5],
  [-3, 5, 0, 5],
  [0, 5, 1, 5],
  [0, 5, -1, 5],
].map((vector) => Float32Array.from(vector));

const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, k) => sum + value * (b[k] ?? 0), 0);

describe('project', () => {
  test('finds the two directions of the largest differences and the place of each vector on them', () => {
    const { points, axes } = project(CROSS);
    // The sign of an axis has no meaning.
    expect([...axes[0]].map(Math.abs)).toEqual([1, 0, 0, 0].map((value) => expect.closeTo(value, 5)));
    expect([...axes[1]].map(Math.abs)).toEqual([0, 0, 1, 0].map((value) => expect.closeTo(value, 5)));
    expect([...points].map(Math.abs)).toEqual(
      [3, 0, 3, 0, 0, 1, 0, 1].map((value) => expect.closeTo(value, 4)),
    );
  });

  test('starts from the previous axes, so that a picture does not flip', () => {
    const { axes } = project(CROSS);
    const turned: typeof axes = [axes[0].map((value) => -value), axes[1].map((value) => -value)];
    const { axes: after } = project(CROSS, turned);
    expect(dot(after[0], turned[0])).toBeCloseTo(1, 5);
    expect(dot(after[1], turned[1])).toBeCloseTo(1, 5);
  });

  test('gives finite numbers for no vectors and for equal vectors', () => {
    expect(project([]).points).toHaveLength(0);
    const { points } = project([CROSS[0], CROSS[0]].map((vector) => vector ?? new Float32Array(4)));
    expect([...points]).toEqual([0, 0, 0, 0]);
  });

  test('axes are orthogonal unit vectors for any vectors', () => {
    const vectors = fc.array(fc.float32Array({ minLength: 6, maxLength: 6, noNaN: true, min: -9, max: 9 }), {
      minLength: 3,
      maxLength: 20,
    });
    fc.assert(
      fc.property(vectors, (all) => {
        const { axes, points } = project(all);
        expect(dot(axes[0], axes[1])).toBeCloseTo(0, 5);
        for (const axis of axes) expect(dot(axis, axis)).toBeCloseTo(1, 5);
        expect([...points].every(Number.isFinite)).toBe(true);
      }),
    );
  });
});
