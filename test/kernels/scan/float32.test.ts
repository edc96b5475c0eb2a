import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ceil32, floor32 } from '../../../src/kernels/scan/query.ts';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const anywhere = fc.oneof(finite, fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0));

it('gives float32 numbers that are below and above, with room for the rounding and underflow of several operations', () => {
  fc.assert(
    fc.property(anywhere, (x) => {
      const room = Math.abs(x) * 2 ** -23 + 2 ** -147;
      expect(Math.fround(floor32(x))).toBe(floor32(x));
      expect(Math.fround(ceil32(x))).toBe(ceil32(x));
      expect(floor32(x)).toBeLessThanOrEqual(x - room);
      expect(ceil32(x)).toBeGreaterThanOrEqual(x + room);
    }),
    { numRuns: 2_000 },
  );
});

it('gives the largest number below what float32 does not hold, and infinity above', () => {
  const largest = (2 - 2 ** -23) * 2 ** 127;
  expect([floor32(1e39), ceil32(1e39), floor32(-1e39), ceil32(-1e39)]).toEqual([
    ...[largest, Infinity],
    ...[-Infinity, -largest],
  ]);
  expect([floor32(-Infinity), ceil32(Infinity)]).toEqual([-Infinity, Infinity]);
});
