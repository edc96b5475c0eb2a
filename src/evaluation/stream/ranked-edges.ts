import { RANKED_BY } from '../../pipeline/training/prequential.ts';
import { HIT_RANK, harmonic } from '../../pipeline/training/ranker.ts';
import type { RankedEdges } from '../../pipeline/training/trainer.ts';

/** The two sets of candidates, in the order of `RankedEdges.ranks`. */
export const CANDIDATE_SETS = ['uniform', 'degree'] as const;
export type CandidateSet = (typeof CANDIDATE_SETS)[number];

/** Values in a row of `RankedEdges.ranks`. */
const WIDTH = (RANKED_BY.length + 1) * CANDIDATE_SETS.length;

/** Reciprocal rank and hit@10 of each edge among the candidates of one set. */
interface Scored {
  readonly reciprocal: Float32Array;
  readonly hit: Float32Array;
}

/** What one way of ranking gave, by set of candidates. */
export type ScoredSets = Readonly<Record<CandidateSet, Scored>>;

/** The edges of a stream that were ranked before they were learned. */
export class RankedLog {
  readonly #parts: RankedEdges[] = [];

  add(part: RankedEdges): void {
    this.#parts.push(part);
  }

  /** All parts as one. */
  whole(): RankedEdges {
    return {
      edge: this.#joined((part) => part.edge, Float64Array),
      lhs: this.#joined((part) => part.lhs, Int32Array),
      relation: this.#joined((part) => part.relation, Uint8Array),
      lhsEvents: this.#joined((part) => part.lhsEvents, Int32Array),
      rhsEvents: this.#joined((part) => part.rhsEvents, Int32Array),
      repeated: this.#joined((part) => part.repeated, Uint8Array),
      ranks: this.#joined((part) => part.ranks, Float32Array),
    };
  }

  #joined<T extends Column>(of: (part: RankedEdges) => T, Columns: new (length: number) => T): T {
    const columns = this.#parts.map(of);
    const whole = new Columns(columns.reduce((length, column) => length + column.length, 0));
    let at = 0;
    for (const column of columns) {
      whole.set(column, at);
      at += column.length;
    }
    return whole;
  }
}

type Column = Float64Array | Float32Array | Int32Array | Uint8Array;

/** What one column of ranks says of each edge. */
export function scoredBy({ ranks, edge }: RankedEdges, by: (typeof RANKED_BY)[number]): ScoredSets {
  const column = RANKED_BY.indexOf(by) * CANDIDATE_SETS.length;
  return bySet((set) => {
    const rank = (i: number) => ranks[i * WIDTH + column + set]!;
    return {
      reciprocal: Float32Array.from(edge, (_, i) => 1 / rank(i)),
      hit: Float32Array.from(edge, (_, i) => (rank(i) <= HIT_RANK ? 1 : 0)),
    };
  });
}

/** What a random order gives on average. */
export function scoredByChance({ ranks, edge }: RankedEdges): ScoredSets {
  const means = new Map<number, number>();
  return bySet((set) => {
    const all = (i: number) => ranks[i * WIDTH + WIDTH - CANDIDATE_SETS.length + set]! + 1;
    const reciprocal = Float32Array.from(edge, (_, i) => {
      const n = all(i);
      const mean = means.get(n) ?? harmonic(n) / n;
      means.set(n, mean);
      return mean;
    });
    return { reciprocal, hit: Float32Array.from(edge, (_, i) => Math.min(1, HIT_RANK / all(i))) };
  });
}

function bySet(of: (set: number, name: CandidateSet) => Scored): ScoredSets {
  return { uniform: of(0, 'uniform'), degree: of(1, 'degree') };
}
