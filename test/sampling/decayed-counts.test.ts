import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecayedCounts } from '../../src/sampling/decayed-counts.ts';

describe('DecayedCounts', () => {
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
