import { describe, expect, test } from 'vitest';
import { Reservoir } from '../../../src/evaluation/compare/reservoir.ts';
import { Random } from '../../../src/sampling/random.ts';

function sampled(size: number, from: number, seed: number): number[] {
  const reservoir = new Reservoir<number>(size, Random.seeded(seed));
  for (let i = 0; i < from; i++) reservoir.offer(i);
  expect(reservoir.offered).toBe(from);
  return reservoir.shuffled();
}

describe('Reservoir', () => {
  test('keeps all things of a small set, in random order', () => {
    const all = sampled(100, 50, 1);
    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(all).not.toEqual([...all].sort((a, b) => a - b));
  });

  test('keeps all things of a large set equally often, at any place', () => {
    const runs = 4000;
    const kept = new Array<number>(20).fill(0);
    const first = new Array<number>(20).fill(0);
    for (let seed = 0; seed < runs; seed++) {
      const sample = sampled(5, 20, seed);
      expect(new Set(sample).size).toBe(5);
      for (const each of sample) kept[each]!++;
      first[sample[0]!]!++;
    }
    // Binomial: 4,000 draws at 1 in 4 have a deviation of 27; at 1 in 20 one of 14. Five of these are beyond chance.
    for (const count of kept) expect(Math.abs(count - runs / 4)).toBeLessThan(137);
    for (const count of first) expect(Math.abs(count - runs / 20)).toBeLessThan(70);
  });

  test('draws the same sample from the same seed', () => {
    expect(sampled(5, 1000, 3)).toEqual(sampled(5, 1000, 3));
    expect(sampled(5, 1000, 3)).not.toEqual(sampled(5, 1000, 4));
  });
});
