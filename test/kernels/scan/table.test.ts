import { describe, expect, it } from 'vitest';
import { FatalError, ShapeError } from '../../../src/errors/errors.ts';
import { mostScanRows, scanRowBytes } from '../../../src/kernels/scan/layout.ts';
import { rowMarks, type ScanQuery } from '../../../src/kernels/scan/scan.ts';
import { Scanner } from '../../../src/kernels/scan/scanner.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';

const table = (dim = 2, maxRows = 10) => new ScanTable({ dim, maxRows, scanners: 1 });
const refusal = (code: string) => expect.objectContaining({ code });

describe('a scan table', () => {
  it('has no vector of a cleared row, and nothing of the vector in its memory', () => {
    const vectors = table(8);
    const value = Math.fround(0.7);
    const kept = () => [
      [vectors.floats, ...vectors.place.vectors.map(({ buffer }) => new Float32Array(buffer))].some(
        (floats) => floats.includes(value),
      ),
      vectors.bytes.includes(127),
    ];
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

  it('refuses more rows than can be scanned in a memory', () => {
    expect(() => table(128, 30_000_000)).toThrow(FatalError);
    expect(() => table(128, 30_000_000)).toThrow(refusal('table-size'));
  });

  it('has room for 29.6 million rows of 128 numbers, and for 20.6 million beside 64 scanners', () => {
    // 4 GiB / (1,024 rows of 145 bytes) is 28,926 blocks; beside 64 scanners, of 208 bytes, 20,164 without their workspaces.
    expect(mostScanRows({ dim: 128, scanners: 1 })).toBe(28_925 * 1_024);
    expect(mostScanRows({ dim: 128, scanners: 64 })).toBe(20_162 * 1_024);
    const { place } = new ScanTable({ dim: 128, maxRows: 28_925 * 1_024, scanners: 1 });
    // Nothing is taken before there are rows.
    expect(place.vectors).toHaveLength(4);
    expect([place.codes, ...place.vectors].every(({ buffer }) => buffer.byteLength < 2 ** 18)).toBe(true);
  });

  it('is right at the ends of its memories, where addresses of 32 bits end', () => {
    // A row without a vector costs its measures alone: long vectors make few of them.
    const dim = 1_024;
    const last = mostScanRows({ dim, scanners: 1 }) - 1;
    const vectors = table(dim, last + 1);
    const { pieceRows } = vectors.place;
    const ends = [0, 1, 2, 3].map((piece) => piece * pieceRows);
    const rows = [...ends.flatMap((first) => [first, first + pieceRows - 1]).slice(0, 7), last];
    // The vectors of row 4 of the list are all 5, and so on: their squared distances to 0 are 1,024 times 25.
    for (const [i, row] of rows.entries()) vectors.write(row, new Float32Array(dim).fill(i + 1));
    const marked = rowMarks(last + 1);
    marked[ends[3]!] = 1;
    const scanner = new Scanner(vectors, 'transe-l2');
    const near = (row: number, query: Omit<ScanQuery, 'vector'>) => {
      const range = { from: row - 5_000, until: row + 5_000 };
      return scanner.top([{ vector: new Float64Array(dim), ...query }], 9, range)[0];
    };
    for (const [i, row] of rows.entries()) {
      expect(near(row, {})).toContainEqual({ row, score: -dim * (i + 1) ** 2 });
      expect(near(row, { leftOut: [row] })).not.toContainEqual(expect.objectContaining({ row }));
      expect([...new Set(vectors.vector(row))]).toEqual([i + 1]);
    }
    expect(near(ends[3]!, { marked })).toEqual([{ row: ends[3]! - 1, score: -dim * 36 }]);
    vectors.clear(last);
    expect([vectors.has(last), vectors.has(last - 1), vectors.has(ends[3]!)]).toEqual([false, false, true]);
  });

  it('grows block by block', () => {
    const vectors = new ScanTable({ dim: 100, maxRows: 5_000, scanners: 1, pieceRows: 2_048 });
    const sizes = new Set<number>();
    for (let row = 0; row < 5_000; row++) {
      vectors.write(row, new Float32Array(100).fill(row));
      sizes.add(vectors.memoryBytes);
    }
    expect(sizes.size).toBe(5);
  });

  it('takes for each row the vector, a byte for each number, 16 bytes of measures and a byte for each scanner', () => {
    // 128 · 4 + 128 + 16 + 1; and 104 · 4 + 112 + 16 + 3, with the padding of dim 100.
    expect(scanRowBytes({ dim: 128, scanners: 1 })).toBe(657);
    expect(scanRowBytes({ dim: 100, scanners: 3 })).toBe(547);
  });
});
