import { describe, expect, test } from 'vitest';
import { neighbourOverlap } from '../../../src/evaluation/compare/neighbours.ts';
import { randomRows, turned, turns } from './random-rows.ts';

/** The nearest rows by a full sort. */
function nearest(rows: Float32Array, dim: number, query: number, k: number): number[] {
  const row = (i: number) => rows.subarray(i * dim, (i + 1) * dim);
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, each, i) => sum + each * y[i]!, 0);
  return Array.from({ length: rows.length / dim }, (_, i) => i)
    .filter((i) => i !== query)
    .map((i) => ({ i, cosine: dot(row(query), row(i)) / Math.hypot(...row(query)) / Math.hypot(...row(i)) }))
    .sort((x, y) => y.cosine - x.cosine)
    .slice(0, k)
    .map(({ i }) => i);
}

describe('neighbourOverlap', () => {
  test('is the mean share of common neighbours among the ten nearest, whatever the dims', () => {
    const [as, bs] = [randomRows(60 * 5, 1), randomRows(60 * 3, 2)];
    // Half of B's first numbers are equal to A's, so that neighbours are shared.
    for (let i = 0; i < 60; i++) bs[3 * i] = 3 * as[5 * i]!;
    const shares = Array.from({ length: 20 }, (_, query) => {
      const inA = nearest(as, 5, query, 10);
      return nearest(bs, 3, query, 10).filter((row) => inA.includes(row)).length / 10;
    });
    const expected = shares.reduce((sum, share) => sum + share, 0) / 20;
    expect(expected).toBeGreaterThan(0.2);
    const overlap = neighbourOverlap({ vectors: as, dim: 5 }, { vectors: bs, dim: 3 }, 20);
    expect(overlap).toEqual({ asked: 20, among: 60, k: 10, shared: expected, chance: 10 / 59 });
  });

  test('is 1 for a rotated and scaled copy', () => {
    const as = randomRows(400, 3);
    const bs = turned(as, turns(4, 4), 4).map((x) => 2.5 * x);
    expect(neighbourOverlap({ vectors: as, dim: 4 }, { vectors: bs, dim: 4 }, 500)).toEqual({
      asked: 100,
      among: 100,
      k: 10,
      shared: 1,
      chance: 10 / 99,
    });
  });

  test('takes fewer neighbours with fewer other entities, and gives undefined without any', () => {
    const three = { vectors: Float32Array.of(1, 0, 0, 1, 1, 1), dim: 2 };
    expect(neighbourOverlap(three, three, 500)).toEqual({ asked: 3, among: 3, k: 2, shared: 1, chance: 1 });
    const one = { vectors: Float32Array.of(1, 0), dim: 2 };
    expect(neighbourOverlap(one, one, 500)).toBeUndefined();
    const none = { vectors: new Float32Array(0), dim: 2 };
    expect(neighbourOverlap(none, none, 500)).toBeUndefined();
  });
});
