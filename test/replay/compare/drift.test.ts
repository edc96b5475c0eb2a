import { describe, expect, test } from 'vitest';
import { driftOf } from '../../../src/replay/compare/drift.ts';

describe('driftOf', () => {
  test('takes distance and cosine of each pair', () => {
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

  test('leaves the worst hundredth out of p99 and p01', () => {
    // 200 entities, the i-th moved by i: the two furthest are 198 and 199.
    const as = new Float32Array(200).fill(1);
    const bs = as.map((x, i) => x + i);
    expect(driftOf(as, bs, 1)?.distance.p99).toBe(197);
    // Two point the other way: 1 in 100. A third would be seen.
    const backwards = as.map((x, i) => (i < 2 ? -x : x));
    expect(driftOf(as, backwards, 1)?.cosine.p01).toBe(1);
    backwards[2] = -1;
    expect(driftOf(as, backwards, 1)?.cosine.p01).toBe(-1);
  });

  test('turns A first where a rotation is given', () => {
    const [as, bs] = [Float32Array.of(1, 0, 0, 2), Float32Array.of(0, 1, -2, 0)];
    const drift = driftOf(as, bs, 2, Float64Array.of(0, 1, -1, 0));
    expect(drift?.distance).toEqual({ mean: 0, p99: 0 });
    expect(drift?.cosine).toEqual({ mean: 1, p01: 1 });
  });

  test('says nothing of no entities', () => {
    expect(driftOf(new Float32Array(0), new Float32Array(0), 3)).toBeUndefined();
  });
});
