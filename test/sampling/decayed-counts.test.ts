import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecayedCounts } from '../../src/sampling/decayed-counts.ts';

describe('DecayedCounts', () => {
  it('halves the weight of an event with every half-life of later events', () => {
    const counts = new DecayedCounts(4, 2);
    counts.add(0);
    counts.tick();
    counts.tick();
    counts.add(1);
    counts.tick();
    counts.tick();
    counts.add(1);
    counts.add(3);
    // Row 0: one event, four events ago. Row 1: one of two events ago and one of now. Row 3: one of now.
    expect(counts.of(0) / counts.of(3)).toBeCloseTo(1 / 4, 12);
    expect(counts.of(1) / counts.of(3)).toBeCloseTo(1 / 2 + 1, 12);
    expect(counts.of(2)).toBe(0);
  });

  it('is the plain sum of the weights, however many half-lives pass', () => {
    const events = fc.array(fc.nat(4), { minLength: 1, maxLength: 3_000 });
    fc.assert(
      fc.property(events, fc.double({ min: 0.5, max: 50, noNaN: true }), (rows, halfLife) => {
        const counts = new DecayedCounts(6, halfLife);
        for (const row of rows) {
          counts.tick();
          counts.add(row);
        }
        // An event of now weighs 1.
        counts.add(5);
        for (let row = 0; row < 5; row++) {
          const plain = rows.reduce(
            (sum, each, i) => sum + (each === row ? 2 ** (-(rows.length - 1 - i) / halfLife) : 0),
            0,
          );
          expect(Math.abs(counts.of(row) / counts.of(5) - plain)).toBeLessThanOrEqual(
            1e-9 * Math.max(1, plain),
          );
        }
      }),
      { numRuns: 30 },
    );
  });
});
