import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ShapeError } from '../../../src/errors/errors.ts';
import { BLOCK_ROWS } from '../../../src/kernels/scan/layout.ts';
import {
  type Found,
  mergeTop,
  type RowRange,
  rowMarks,
  type ScanQuery,
} from '../../../src/kernels/scan/scan.ts';
import { Scanner } from '../../../src/kernels/scan/scanner.ts';
import { ScanTable } from '../../../src/kernels/scan/table.ts';
import type { ScorerName } from '../../../src/model/settings.ts';
import { Random } from '../../../src/sampling/random.ts';
import { pairs } from '../fixture.ts';
import { PlainVectors, SCORERS, WORLDS } from './fixture.ts';
import { ReferenceScan } from './reference.ts';

const DIMS = [1, 3, 8, 100, 128, 200, 256];
/** More than a block, and no multiple of four. */
const ROWS = 1_310;

/** What the scan must do: by numbers worked out by hand, and bit for bit like the reference. */
export function scanConformance(): void {
  describe('scan', () => {
    byHand();
    refusals();
    worlds();
    passes();
    churn();
  });
}

/** A table, which has its vectors in as many memories as can be, so that rows of several are found; and what makes scans over it. */
function open(dim: number, maxRows: number) {
  const vectors = new ScanTable({ dim, maxRows, scanners: 1, pieceRows: BLOCK_ROWS });
  return { vectors, scan: (scorer: ScorerName) => new Scanner(vectors, scorer) };
}

function query(...vector: number[]): ScanQuery {
  return { vector: Float64Array.from(vector) };
}

function byHand(): void {
  /** Distances to [2, 0]: by L1 1, 5, 2, 1, 4; the squares 1, 13, 4, 1, 10. Dot products with it: 2, 0, 4, 2, -2. */
  const five = () => {
    const opened = open(2, 100);
    const rows = pairs('1 0, 0 3, 2 2, 1 0, -1 -1');
    for (const [row, vector] of rows.entries()) opened.vectors.write(row, Float32Array.from(vector));
    return opened;
  };
  const asked = query(2, 0);
  const rowsOf = (scan: Scanner, one: ScanQuery, count: number) =>
    scan.top([one], count)[0]!.map(({ row }) => row);
  const bySquares = pairs('0 -1, 3 -1, 2 -4, 4 -10, 1 -13');

  it.each([
    ['transe-l1', pairs('0 -1, 3 -1, 2 -2, 4 -4, 1 -5')],
    ['transe-l2', bySquares],
    ['transe-l2-squared', bySquares],
    ['twhin', pairs('2 4, 0 2, 3 2, 1 0, 4 -2')],
  ] as const)('gives rows and scores best first, equal ones by row, with %s', (scorer, best) => {
    const scan = five().scan(scorer);
    for (const count of [0, 1, 2, 5, 50]) {
      const expected = best.slice(0, count).map(([row, score]) => ({ row, score }));
      expect(scan.top([asked], count)).toEqual([expected]);
    }
  });

  it('takes rows to be left out that are repeated, that the table does not have, and that can be read only once', () => {
    const scan = five().scan('transe-l2');
    expect(rowsOf(scan, { ...asked, leftOut: [0, 0, -1, 5, 99, 1e9, 0.5, Number.NaN] }, 2)).toEqual([3, 2]);
    expect(rowsOf(scan, { ...asked, leftOut: [0, 3].values() }, 2)).toEqual([2, 4]);
    expect(rowsOf(scan, asked, 2)).toEqual([0, 3]);
  });
}

function refusals(): void {
  it('refuses a query of another length, with a number out of range, or the fifth in a pass', () => {
    const { vectors, scan } = open(2, 10);
    vectors.write(0, Float32Array.of(1, 1));
    const opened = scan('twhin');
    const good = query(1, 1);
    for (const wrong of [
      query(1),
      query(1, 1, 1),
      query(1, Number.NaN),
      query(Infinity, 1),
      query(1, 1e39),
    ]) {
      expect(() => opened.top([good, wrong], 1)).toThrow(ShapeError);
    }
    expect(() => opened.top([good, good, good, good, good], 1)).toThrow(
      /5 queries share a pass; at most 4 can/,
    );
    expect(opened.top([good, good, good, good], 1)).toHaveLength(4);
  });
}

/** A table and the vectors that it has to be like. */
class Pair {
  readonly opened: ReturnType<typeof open>;
  readonly plain: PlainVectors;
  readonly next: () => Float32Array;
  readonly random = Random.seeded(7);

  constructor(world: string, dim: number, rows = ROWS) {
    this.opened = open(dim, 5_000);
    this.plain = new PlainVectors(dim);
    this.next = WORLDS[world]!(dim, this.random);
    for (let row = 0; row < rows; row++) this.write(row);
  }

  write(row: number): void {
    const vector = this.next();
    this.opened.vectors.write(row, vector);
    this.plain.write(row, vector);
  }

  clear(row: number): void {
    this.opened.vectors.clear(row);
    this.plain.clear(row);
  }

  /** A vector half-way between two like those of the rows, one of theirs, a sum of two, and one apart from all. */
  queries(): ScanQuery[] {
    const own = this.plain.has(5) ? this.plain.vector(5) : this.next();
    const other = this.next();
    const third = this.next();
    const vectors = [
      Float64Array.from(other, (value, k) => (value + third[k]!) / 2),
      Float64Array.from(own),
      Float64Array.from(own, (value, k) => value + other[k]!),
      Float64Array.from(own, () => 0.37 * this.random.uniform()),
    ];
    // Some share their marks, which end before the last rows do.
    const marked = rowMarks(ROWS - BLOCK_ROWS);
    for (const row of this.some()) if (row < marked.length) marked[row] = 1;
    return vectors.map((vector, i) => ({
      vector,
      leftOut: i % 2 ? this.some() : [],
      marked: i === 0 ? undefined : marked,
    }));
  }

  some(): number[] {
    return Array.from({ length: 40 }, () => this.random.below(ROWS));
  }
}

/** Like toEqual, which takes longer than the scans for lists that are equal. */
function expectFound(actual: readonly (readonly Found[])[], expected: readonly (readonly Found[])[]): void {
  const equal = actual.every((list, i) => {
    const other = expected[i] ?? [];
    return (
      list.length === other.length &&
      list.every(({ row, score }, k) => row === other[k]!.row && Object.is(score, other[k]!.score))
    );
  });
  if (!equal || actual.length !== expected.length) expect(actual).toStrictEqual(expected);
}

function worlds(): void {
  describe.each(Object.keys(WORLDS))('with vectors %s', (world) => {
    it.each(DIMS)('answers like the reference at dim %i', (dim) => {
      const pair = new Pair(world, dim);
      for (let i = 0; i < 60; i++) pair.clear(pair.random.below(ROWS));
      for (const scorer of SCORERS) {
        const scan = pair.opened.scan(scorer);
        const reference = new ReferenceScan(pair.plain, scorer);
        const queries = pair.queries();
        const ordered = reference.top(queries, 2 * ROWS);
        expectFound(scan.top(queries.slice(0, 1), 2 * ROWS), ordered.slice(0, 1));
        for (const count of [1, 10, 100]) {
          expectFound(
            scan.top(queries, count),
            ordered.map((all) => all.slice(0, count)),
          );
        }
      }
    });
  });
}

function passes(): void {
  it.each(SCORERS)('gives for ranges, merged, what it gives for the whole, with %s', (scorer) => {
    const pair = new Pair('one of ten, each many times', 24, 2_500);
    const scan = pair.opened.scan(scorer);
    const cuts = [0, 1, 6, 511, 1_024, 1_025, 2_047, 2_500];
    const ranges = cuts.slice(1).map((until, i): RowRange => ({ from: cuts[i]!, until }));
    for (const one of pair.queries()) {
      const parts = ranges.map((range) => scan.top([one], 10, range)[0]!);
      expect(mergeTop(parts, 10)).toEqual(scan.top([one], 10)[0]);
    }
  });
}

/** Rows written, written again and cleared at random, with questions between. */
function churn(): void {
  const row = fc.nat(1_100);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), row }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), row }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        row,
        count: fc.nat(30),
        leftOut: fc.array(row, { maxLength: 20 }),
        from: fc.nat(200),
      }),
    },
  );

  it('answers like the reference while rows come, change and go', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(WORLDS)),
        fc.constantFrom(...SCORERS),
        fc.constantFrom(1, 5, 32),
        fc.array(step, { maxLength: 120 }),
        (world, scorer, dim, steps) => {
          const pair = new Pair(world, dim, 30);
          const scan = pair.opened.scan(scorer);
          const reference = new ReferenceScan(pair.plain, scorer);
          for (const one of steps) {
            if (one.do === 'write') pair.write(one.row);
            else if (one.do === 'clear') pair.clear(one.row);
            else {
              const queries = pair.queries().map((asked) => ({ ...asked, leftOut: one.leftOut }));
              const range = { from: one.from, until: one.row };
              expectFound(scan.top(queries, one.count), reference.top(queries, one.count));
              expectFound(scan.top(queries, one.count, range), reference.top(queries, one.count, range));
            }
          }
        },
      ),
      { numRuns: 150 },
    );
  });
}
