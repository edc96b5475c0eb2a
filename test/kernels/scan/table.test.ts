import { describe, expect, it } from 'vitest';
import { FatalError, ShapeError } from '../../../src/errors/errors.ts';
import { Scanner } from '../../../src/kernels/scan/scanner.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';

const table = (dim = 2, maxRows = 10) => new ScanTable({ dim, maxRows, scanners: 1 });
const refusal = (code: string) => expect.objectContaining({ code });

describe('a scan table', () => {
  it('gives the vectors that were written last', () => {
    const vectors = table();
    vectors.write(0, Float32Array.of(1, 2));
    vectors.write(4, Float32Array.of(3, 4));
    vectors.write(0, Float32Array.of(-5, 1e-42));
    expect(vectors.rows).toBe(5);
    expect([...vectors.vector(0)]).toEqual([-5, Math.fround(1e-42)]);
    expect([...vectors.vector(4)]).toEqual([3, 4]);
    expect([0, 1, 3, 4, 5].map((row) => vectors.has(row))).toEqual([true, false, false, true, false]);
  });

  it('has no vector of a cleared row, and nothing of the vector in its memory', () => {
    const vectors = table(8);
    const value = Math.fround(0.7);
    const kept = () => [vectors.floats.includes(value), vectors.bytes.includes(127)];
    vectors.write(0, new Float32Array(8).fill(value));
    expect(kept()).toEqual([true, true]);
    vectors.clear(0);
    expect(kept()).toEqual([false, false]);
    expect(vectors.has(0)).toBe(false);
    expect(() => vectors.vector(0)).toThrow(ShapeError);
    vectors.clear(7);
    expect(vectors.rows).toBe(1);
  });

  it('refuses a vector of another length, and one with a number that is not finite, and keeps the one before', () => {
    const vectors = table();
    vectors.write(0, Float32Array.of(1, 2));
    expect(() => vectors.write(0, Float32Array.of(1))).toThrow(ShapeError);
    expect(() => vectors.write(0, Float32Array.of(1, 2, 3))).toThrow(ShapeError);
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      expect(() => vectors.write(0, Float32Array.of(9, value))).toThrow(
        `number 1 of the vector of row 0 is ${value}`,
      );
      expect(() => vectors.write(3, Float32Array.of(9, value))).toThrow(refusal('vector-not-finite'));
    }
    expect([...vectors.vector(0)]).toEqual([1, 2]);
    expect(vectors.rows).toBe(1);
  });

  it('refuses a row that is none, and one beyond its size', () => {
    const vectors = table();
    const vector = Float32Array.of(1, 2);
    for (const row of [-1, 0.5, Number.NaN]) expect(() => vectors.write(row, vector)).toThrow(ShapeError);
    expect(() => vectors.write(10, vector)).toThrow(refusal('table-full'));
    vectors.write(9, vector);
    expect(vectors.rows).toBe(10);
  });

  it('refuses more rows than fit into a memory', () => {
    expect(() => table(128, 7_000_000)).toThrow(FatalError);
    expect(() => table(128, 7_000_000)).toThrow(refusal('table-size'));
  });

  it('grows block by block, and scans the rows from before and after', () => {
    const vectors = table(100, 5_000);
    const scanner = new Scanner(vectors, 'transe-l2', 'wasm-plain');
    const sizes = new Set<number>();
    for (let row = 0; row < 5_000; row++) {
      vectors.write(row, new Float32Array(100).fill(row));
      sizes.add(vectors.place.memory.buffer.byteLength);
      if (row % 700 !== 0) continue;
      const [found] = scanner.top([{ vector: new Float64Array(100).fill(row) }], 2);
      expect(found!.map((one) => one.row)).toEqual(row === 0 ? [0] : [row, row - 1]);
    }
    expect(sizes.size).toBe(5);
    expect([...vectors.vector(3)]).toEqual(new Array(100).fill(3));
    const [found] = scanner.top([{ vector: new Float64Array(100).fill(3) }], 1);
    expect(found).toEqual([{ row: 3, score: -0 }]);
  });

  it('takes for each row the vector, a byte for each number, 16 bytes of measures and a byte for each scanner', () => {
    // 128 · 4 + 128 + 16 + 1; and 104 · 4 + 112 + 16 + 3, with the padding of dim 100.
    expect(table(128).bytesPerRow).toBe(657);
    expect(new ScanTable({ dim: 100, maxRows: 1, scanners: 3 }).bytesPerRow).toBe(547);
  });
});
