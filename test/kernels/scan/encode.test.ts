import fc from 'fast-check';
import { expect, it } from 'vitest';
import { blockAt, measuresAt } from '../../../src/kernels/scan/layout.ts';
import { ceil32 } from '../../../src/kernels/scan/query.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';

/** Adding this and taking it away rounds a small number to an integer, several times faster than Math.round with limits. */
const ROUND = 1.5 * 2 ** 52;

/** What is summed over the numbers of a vector. */
interface CodeSums {
  readonly sum: number;
  readonly squares: number;
  /** The squares of what the codes lose of the vector. */
  readonly lost: number;
}

/**
 * The codes of a vector, and their sums: the plain form of `encode` in `src/kernels/scan/assembly/encode.ts`, which gives the same bits. `lost`
 * is that of four sums, of every fourth number each, as SIMD adds them.
 * codes: [dim], overwritten; perUnit: 1 / scale, or 0 where scale is 0.
 */
function encodePlainly(vector: Float32Array, codes: Int8Array, scale: number, perUnit: number): CodeSums {
  let [sum, squares] = [0, 0];
  const lost: [number, number, number, number] = [0, 0, 0, 0];
  for (const [k, value] of vector.entries()) {
    const code = value * perUnit + ROUND - ROUND;
    const difference = value - scale * code;
    codes[k] = code;
    sum += code;
    squares += code * code;
    lost[k & 3]! += difference * difference;
  }
  return { sum, squares, lost: lost[0] + lost[2] + (lost[1] + lost[3]) };
}

/** Numbers of a usual size, and those at the ends of float32. */
const number = fc.oneof(
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 2 ** -149, 2 ** -126, 2 ** -110, (2 - 2 ** -23) * 2 ** 127),
);
const vectors = fc
  .integer({ min: 1, max: 40 })
  .chain((dim) => fc.array(fc.array(number, { minLength: dim, maxLength: dim }), { minLength: 1 }));

it('writes the codes and measures that the plain form gives, bit for bit, whatever the row held before', () => {
  fc.assert(
    fc.property(vectors, (rows) => {
      const dim = rows[0]!.length;
      const table = new ScanTable({ dim, maxRows: 3, scanners: 1 });
      rows.forEach((numbers, i) => {
        const row = i % 3;
        const vector = Float32Array.from(numbers);
        table.write(row, vector);
        const largest = Math.max(...vector.map(Math.abs));
        const scale = Math.fround(largest / 127) < 2 ** -120 ? 0 : Math.fround(largest / 127);
        const codes = new Int8Array(table.layout.codeDim);
        const { sum, squares, lost } = encodePlainly(vector, codes, scale, scale === 0 ? 0 : 1 / scale);
        const at = blockAt(table.layout, row) + row * table.layout.codeDim;
        expect(table.bytes.slice(at, at + table.layout.codeDim)).toEqual(codes);
        expect(table.vector(row)).toEqual(vector);
        const sums = new Float64Array(table.place.codes.buffer, table.layout.sums, 3);
        expect([...sums]).toEqual([sum, squares, lost]);
        const first = measuresAt(table.layout, row);
        const measures = [0, 4, 8, 12].map((next) => table.floats[first + next]);
        const length = scale * Math.sqrt(squares);
        expect(measures).toEqual([
          scale,
          ceil32(Math.sqrt(lost) * (1 + 2 ** -40)),
          length <= 2 ** 56 ? ceil32(length) : Number.NaN,
          Math.fround(scale * sum),
        ]);
      });
    }),
  );
});
