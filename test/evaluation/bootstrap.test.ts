import { describe, expect, it } from 'vitest';
import { bootstrap, quantile } from '../../src/evaluation/bootstrap.ts';
import { Random } from '../../src/sampling/random.ts';

describe('bootstrap', () => {
  it('gives the mean over cases, users with more cases counting more', () => {
    const [interval] = bootstrap(
      { counts: Float64Array.of(1, 3), sums: [Float64Array.of(1, 0)] },
      Random.seeded(1),
    );
    expect(interval?.mean).toBe(1 / 4);
    // A round draws one of the two users twice, or both: 1, 1/4 or 0.
    expect([interval?.low, interval?.high]).toEqual([0, 1]);
  });

  it('comes near the normal interval of a mean of many users', () => {
    const users = 2_000;
    const random = Random.seeded(2);
    const values = Float64Array.from({ length: users }, () => (random.uniform() < 0.3 ? 1 : 0));
    const mean = values.reduce((sum, value) => sum + value, 0) / users;
    const error = Math.sqrt((mean * (1 - mean)) / users);
    const counts = new Float64Array(users).fill(1);
    const [interval] = bootstrap({ counts, sums: [values] }, Random.seeded(3));
    expect(interval?.low).toBeCloseTo(mean - 1.96 * error, 2);
    expect(interval?.high).toBeCloseTo(mean + 1.96 * error, 2);
  });

  it('gives a difference of pairs an interval narrower than either of its parts', () => {
    const random = Random.seeded(4);
    const first = Float64Array.from({ length: 500 }, () => random.uniform());
    const second = first.map((value) => value - 0.01 * random.uniform());
    const difference = first.map((value, i) => value - second[i]!);
    const counts = new Float64Array(500).fill(1);
    const [a, , lead] = bootstrap({ counts, sums: [first, second, difference] }, Random.seeded(5));
    expect(lead!.low).toBeGreaterThan(0);
    expect(lead!.high - lead!.low).toBeLessThan((a!.high - a!.low) / 20);
  });
});

describe('quantile', () => {
  it('lies between two values in proportion', () => {
    expect(quantile(Float64Array.of(10, 20, 30), 0.25)).toBe(15);
    expect(quantile(Float64Array.of(10), 0.9)).toBe(10);
  });
});
