import type { ScanRows } from '../../../src/kernels/scan/rows.ts';
import {
  checkQueries,
  clip,
  type Found,
  type RowRange,
  type ScanQuery,
} from '../../../src/kernels/scan/scan.ts';
import type { ScorerName } from '../../../src/model/settings.ts';

type Vectors = Pick<ScanRows, 'dim' | 'rows' | 'has' | 'vector'>;

/** The scan in plain TypeScript: every row scored in float64, and sorted. Slow and clear, the oracle of the compiled scan. */
export class ReferenceScan {
  readonly #vectors: Vectors;
  readonly #score: (query: Float64Array, vector: Float32Array) => number;

  constructor(vectors: Vectors, scorer: ScorerName) {
    this.#vectors = vectors;
    this.#score = SCORES[scorer];
  }

  top(queries: readonly ScanQuery[], count: number, range?: RowRange): Found[][] {
    checkQueries(queries, this.#vectors);
    return queries.map((query) =>
      this.#all(query, range)
        .sort((a, b) => b.score - a.score || a.row - b.row)
        .slice(0, Math.max(count, 0)),
    );
  }

  /** All rows of the range that count, with their scores. */
  #all({ vector, leftOut = [], marked }: ScanQuery, range: RowRange | undefined): Found[] {
    const { from, until } = clip(range, this.#vectors.rows);
    const without = new Set(leftOut);
    const found: Found[] = [];
    for (let row = from; row < until; row++) {
      if (!this.#vectors.has(row) || without.has(row) || marked?.[row] === 1) continue;
      found.push({ row, score: this.#score(vector, this.#vectors.vector(row)) });
    }
    return found;
  }
}

const SCORES: Readonly<Record<ScorerName, (query: Float64Array, vector: Float32Array) => number>> = {
  'transe-l1': (query, vector) => {
    let sum = 0;
    for (let k = 0; k < query.length; k++) sum += Math.abs(query[k]! - vector[k]!);
    return -sum;
  },
  'transe-l2': squared,
  'transe-l2-squared': squared,
  twhin: (query, vector) => {
    let sum = 0;
    for (let k = 0; k < query.length; k++) sum += query[k]! * vector[k]!;
    return sum;
  },
};

function squared(query: Float64Array, vector: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < query.length; k++) sum += (query[k]! - vector[k]!) ** 2;
  return -sum;
}
