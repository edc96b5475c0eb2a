import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../../src/errors/errors.ts';
import { Scanner } from '../../../src/kernels/scan/scanner.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';
import { Random } from '../../../src/sampling/random.ts';
import { scanConformance } from './conformance.ts';
import { WORLDS } from './fixture.ts';

scanConformance();

describe('the compiled scan', () => {
  it('scores few rows exactly, of vectors in clusters', () => {
    const [dim, rows] = [64, 20_000];
    const table = new ScanTable({ dim, maxRows: rows, scanners: 1 });
    const next = WORLDS['in clusters']!(dim, Random.seeded(3));
    for (let row = 0; row < rows; row++) table.write(row, next());
    for (const scorer of ['transe-l1', 'transe-l2', 'twhin'] as const) {
      const scanner = new Scanner(table, scorer);
      scanner.top([{ vector: Float64Array.from(next()) }], 10);
      expect(scanner.scored).toBeGreaterThan(10);
      expect(scanner.scored).toBeLessThan(0.03 * rows);
    }
  });

  it('finds the nearest row by L1 where float32 sums come out larger, the more numbers they have', () => {
    const [dim, rows] = [2_048, 100];
    const table = new ScanTable({ dim, maxRows: rows, scanners: 1 });
    for (let row = 0; row < rows; row++) table.write(row, new Float32Array(dim).fill(9));
    // In float32, each sum above 128 that such numbers are added to is rounded up, by a quarter of its last bit.
    const each = 1 + 0.75 * 2 ** -16;
    table.write(99, new Float32Array(dim).fill(each));
    // A little farther, in one number, whose sum with zeros is exact.
    const one = new Float32Array(dim);
    one[0] = dim * each + 2 ** -10;
    table.write(0, one);
    const found = new Scanner(table, 'transe-l1').top([{ vector: new Float64Array(dim) }], 1);
    expect(found).toEqual([[{ row: 99, score: -dim * each }]]);
  });

  /** The best row by L1 of 99 rows that are alike and one more. */
  const bestByL1 = (alike: readonly number[], last: readonly number[], query: readonly number[]) => {
    const table = new ScanTable({ dim: query.length, maxRows: 100, scanners: 1 });
    for (let row = 0; row < 99; row++) table.write(row, Float32Array.from(alike));
    table.write(99, Float32Array.from(last));
    const scanner = new Scanner(table, 'transe-l1');
    return scanner.top([{ vector: Float64Array.from(query) }], 1)[0]![0]!.row;
  };

  it('finds the nearest row by L1 where its code times its scale is rounded away from the query', () => {
    // 1 / 127 of this number, in float32, is half of `step` / 127 too large: 127 times that is rounded to the next float32.
    const [number, step] = [1 + 8_257_599 * 2 ** -23, 2 ** -23];
    const query = [number - 2 ** -10, 0];
    // A tenth of a step farther than the last row.
    const alike = [query[0]!, 2 ** -10 + step / 10];
    expect(bestByL1(alike, [number, 0], query)).toBe(99);
  });

  it('finds the nearest row by L1 where float32 has the query farther from it', () => {
    // By the first number the last row is nearer by 2^-29; float32 rounds the second one up by 0.4 · 2^-17.
    const query = [126.5 - 2 ** -30, 127 + 0.6 * 2 ** -17];
    expect(bestByL1([127, 127], [126, 127], query)).toBe(99);
  });

  it('finds the row with the largest product where parts of products are beyond float32', () => {
    const table = new ScanTable({ dim: 2, maxRows: 100, scanners: 1 });
    for (let row = 0; row < 100; row++) table.write(row, Float32Array.of(0, -2e16));
    table.write(99, Float32Array.of(0, -1.75e16));
    const vector = Float64Array.of(-1e22, 1e22);
    expect(new Scanner(table, 'twhin').top([{ vector }], 1)[0]).toMatchObject([{ row: 99 }]);
  });

  it('gives relaxed dot products no query that machines take differently', () => {
    const dim = 32;
    const table = new ScanTable({ dim, maxRows: 1, scanners: 1 });
    table.write(0, new Float32Array(dim).fill(1));
    const scanner = new Scanner(table, 'twhin');
    scanner.top([{ vector: Float64Array.from({ length: dim }, (_, k) => k - 10.3) }], 1);
    const start = table.layout.workspaces + table.layout.queryCodes;
    const codes = table.bytes.subarray(start, start + dim);
    expect([Math.min(...codes), Math.max(...codes)]).toEqual([0, 127]);
  });

  it('leaves out the rows of its own queries only, beside another scanner', () => {
    const table = new ScanTable({ dim: 1, maxRows: 3, scanners: 2 });
    for (let row = 0; row < 3; row++) table.write(row, Float32Array.of(row));
    const rowsOf = (workspace: number) =>
      new Scanner(table, 'twhin', workspace)
        .top([{ vector: Float64Array.of(1) }], 3)[0]!
        .map(({ row }) => row);
    // As if the first scanner were at work, with query 0 leaving out row 2.
    const { blocks, marks } = table.layout;
    table.bytes[blocks + marks + 2] = 1;
    expect(rowsOf(0)).toEqual([1, 0]);
    expect(rowsOf(1)).toEqual([2, 1, 0]);
  });

  it('has no mark left of rows to be left out whose reading failed', () => {
    const table = new ScanTable({ dim: 1, maxRows: 3, scanners: 1 });
    for (let row = 0; row < 3; row++) table.write(row, Float32Array.of(row));
    const scanner = new Scanner(table, 'twhin');
    const leftOut = (function* () {
      yield 2;
      throw new Error('no more rows');
    })();
    const vector = Float64Array.of(1);
    expect(() =>
      scanner.top(
        [
          { vector, leftOut: [1] },
          { vector, leftOut },
        ],
        3,
      ),
    ).toThrow('no more rows');
    expect(scanner.top([{ vector }], 3)[0]).toHaveLength(3);
  });

  it('refuses a workspace that the table does not have', () => {
    const table = new ScanTable({ dim: 1, maxRows: 3, scanners: 2 });
    for (const workspace of [-1, 2, 0.5]) {
      expect(() => new Scanner(table, 'twhin', workspace)).toThrow(ShapeError);
    }
  });
});
