import type { ScorerName } from '../../model/settings.ts';
import {
  ahead,
  checkQueries,
  checkRanked,
  clip,
  type Found,
  type Rank,
  type RowRange,
  type RowVectors,
  type Scan,
  type ScanQuery,
} from './scan.ts';

/** The scan in plain TypeScript: every row scored in float64, and sorted. Slow and clear, the oracle of the compiled scan. */
export class ReferenceScan implements Scan {
  readonly #vectors: RowVectors;
  readonly #score: (query: Float64Array, vector: Float32Array) => number;

  constructor(vectors: RowVectors, scorer: ScorerName) {
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

  rank(query: ScanQuery, row: number, range?: RowRange): Rank {
    checkQueries([query], this.#vectors);
    checkRanked(this.#vectors, row);
    const wanted = this.#score(query.vector, this.#vectors.vector(row));
    const others = this.#all(query, range).filter((other) => other.row !== row);
    const rank = others.reduce((sum, { score }) => sum + ahead(score, wanted), 1);
    return { rank, compared: others.length };
  }

  ranks(query: ScanQuery, scores: readonly number[], range?: RowRange): Rank[] {
    checkQueries([query], this.#vectors);
    const all = this.#all(query, range);
    return scores.map((wanted) => ({
      rank: all.reduce((sum, { score }) => sum + ahead(score, wanted), 1),
      compared: all.length,
    }));
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
