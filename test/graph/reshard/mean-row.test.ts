import fc from 'fast-check';
import { expect, test } from 'vitest';
import { meanRow } from '../../../src/graph/reshard/mean-row.ts';

const float = fc.float({
  noNaN: true,
  noDefaultInfinity: true,
  min: Math.fround(-1e30),
  max: Math.fround(1e30),
});
const rowOf = (floats: readonly number[], step = 1) => ({ row: 0, floats: Float32Array.from(floats), step });

test('rows that are equal keep every bit, however many there are', () => {
  fc.assert(
    fc.property(
      fc.array(float, { minLength: 3, maxLength: 9 }),
      fc.integer({ min: 1, max: 9 }),
      (floats, count) => {
        const { floats: mean } = meanRow(Array.from({ length: count }, () => rowOf(floats)));
        expect(Buffer.from(mean.buffer)).toEqual(Buffer.from(rowOf(floats).floats.buffer));
      },
    ),
    // A drift of −0, as a run has drawn it.
    { examples: [[[0, 0, -0], 2]] },
  );
});

test('vector and accumulator are means, drift grows by the move of the first, and the step is the highest', () => {
  const mean = meanRow([rowOf([1, 2, 9, 0.5], 4), rowOf([4, 2, 3, 7], 9), rowOf([4, 8, 0, 0], 2)]);
  expect([[...mean.floats], mean.step]).toEqual([[3, 4, 4, Math.fround(0.5 + Math.sqrt(8))], 9]);
});
