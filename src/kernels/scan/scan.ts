import { ShapeError } from '../../errors/errors.ts';
import { BLOCK_ROWS, MAX_QUERIES } from './layout.ts';

/** A question: which rows have the highest scores? */
export interface ScanQuery {
  /** [dim] entity plus relation, in float64. */
  readonly vector: Float64Array;
  /** Rows that do not count, in any order; rows that are not in the table change nothing. */
  readonly leftOut?: Iterable<number>;
  /** More rows that do not count, as `rowMarks` gives them: for many rows, or for the same rows in many queries. */
  readonly marked?: Uint8Array | undefined;
}

/** A byte for each row, in whole blocks of shared memory: 1 for a row that does not count. Rows beyond the end have no mark. */
export function rowMarks(rows: number): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(new SharedArrayBuffer(Math.ceil(rows / BLOCK_ROWS) * BLOCK_ROWS));
}

export interface Found {
  readonly row: number;
  /** −Σ|…|, −Σ(…)² for both L2 scorers, or the dot product, in float64; higher is better. */
  readonly score: number;
}

/** Rows `from` … `until` - 1. */
export interface RowRange {
  readonly from: number;
  readonly until: number;
}

/** The best `count` of the whole, from the answers of ranges that share no row. */
export function mergeTop(parts: readonly (readonly Found[])[], count: number): Found[] {
  return parts.flat().sort(bestFirst).slice(0, count);
}

/** The order of rows that were found: below 0 where `a` comes before `b`. */
export function bestFirst(a: Found, b: Found): number {
  return b.score - a.score || a.row - b.row;
}

/** Twice the largest float32: a sum of two float32 vectors has no larger number. */
const MAX_NUMBER = 2 ** 129;

/** @throws ShapeError for a query or a number of queries that a scan does not take. */
export function checkQueries(queries: readonly ScanQuery[], { dim }: { readonly dim: number }): void {
  if (queries.length > MAX_QUERIES) {
    throw new ShapeError(`${queries.length} queries share a pass; at most ${MAX_QUERIES} can`);
  }
  for (const { vector } of queries) {
    if (vector.length !== dim) {
      throw new ShapeError(`a query has ${vector.length} numbers; the vectors have ${dim}`);
    }
    const wrong = vector.find((value) => !(Math.abs(value) <= MAX_NUMBER));
    if (wrong !== undefined) throw new ShapeError(`a query has the number ${wrong}; expected at most 2^129`);
  }
}

/** The part of a range that is in use. */
export function clip(range: RowRange | undefined, rows: number): RowRange {
  if (range === undefined) return { from: 0, until: rows };
  return { from: Math.max(0, range.from), until: Math.min(rows, range.until) };
}
