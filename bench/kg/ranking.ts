import type { Space } from '../../src/evaluation/space.ts';
import { MIN_SQUARED_DISTANCE, SCORERS, type Scorer } from '../../src/model/scorers.ts';

/** Which place the answer has among the candidates, asked from an anchor by a relation. */
export interface Question {
  /** Row of the entity that asks. */
  readonly anchor: number;
  /** Row of the relation's vector, forward or reverse. */
  readonly relationRow: number;
  readonly answer: number;
  /** Candidates that do not count: known answers. The answer itself may be among them. */
  readonly leftOut: Iterable<number>;
}

const NEAREST = Math.sqrt(MIN_SQUARED_DISTANCE);
/** Questions scored at once. */
const BLOCK = 64;
/** Rounding error of a float32 operation, relative. */
const UNIT = 2 ** -24;

/**
 * Ranks candidates from anchors by the scorer of a space, exactly: as if all scores were computed in float64. The kernel
 * scores everything in float32. Only a candidate whose score is so close to the compared one that float32 can't tell
 * which is higher is scored again in float64, with a bound of the rounding error that holds for every input.
 */
export class Ranking {
  readonly #space: Space;
  /** For L2, the squared distance: the root does not change the order. */
  readonly #scorer: Scorer;
  readonly #candidates: Int32Array;
  readonly #norms: Norms;
  readonly #leftOut: Uint8Array;
  readonly #scores: Float32Array;

  /** candidates: rows, each once. */
  constructor(space: Space, candidates: Int32Array) {
    this.#space = space;
    const { scorer } = space.model;
    this.#scorer = SCORERS[scorer === 'transe-l2' ? 'transe-l2-squared' : scorer];
    this.#candidates = candidates;
    this.#norms = largestNorms(space, candidates);
    this.#leftOut = new Uint8Array(space.table.maxRows);
    this.#scores = new Float32Array(BLOCK * candidates.length);
  }

  /** The rank of each answer, 1 for the best; a tie counts half. The answer need not be a candidate. */
  ranks(questions: readonly Question[]): Float64Array {
    const ranks = new Float64Array(questions.length);
    for (let first = 0; first < questions.length; first += BLOCK) {
      const block = questions.slice(first, first + BLOCK);
      const rows = this.#score(block);
      block.forEach((question, i) => {
        ranks[first + i] = this.#rank(question, rows(i));
      });
    }
    return ranks;
  }

  /** The float32 scores of each question against all candidates, by the question's place: views, valid until the next call. */
  #score(asked: readonly Pick<Question, 'anchor' | 'relationRow'>[]): (i: number) => Float32Array {
    const anchors = Int32Array.from(asked, ({ anchor }) => anchor);
    const relationRows = Int32Array.from(asked, ({ relationRow }) => relationRow);
    const { length } = this.#candidates;
    this.#space.kernel.scoreMatrix(anchors, relationRows, this.#candidates, this.#scores);
    return (i) => this.#scores.subarray(i * length, (i + 1) * length);
  }

  #rank(question: Question, scores: Float32Array): number {
    const { answer, leftOut } = question;
    const anchor = this.#anchorOf(question);
    const wanted = this.#exact(anchor, answer);
    const slack = this.#slack(anchor);
    const above = this.#asScore(wanted + slack);
    const below = this.#reached(wanted - slack);
    const candidates = this.#candidates;
    const skipped = this.#leftOut;
    this.#mark(leftOut, 1);
    const skippedBefore = skipped[answer]!;
    skipped[answer] = 1;
    let rank = 1;
    for (let j = 0; j < scores.length; j++) {
      const score = scores[j]!;
      if (score < below || skipped[candidates[j]!] === 1) continue;
      if (score > above) rank++;
      else rank += ahead(this.#exact(anchor, candidates[j]!), wanted);
    }
    skipped[answer] = skippedBefore;
    this.#mark(leftOut, 0);
    return rank;
  }

  #mark(rows: Iterable<number>, mark: 0 | 1): void {
    for (const row of rows) this.#leftOut[row] = mark;
  }

  /** [dim] entity plus relation, in float64. */
  #anchorOf({ anchor, relationRow }: Pick<Question, 'anchor' | 'relationRow'>): Float64Array {
    const { table } = this.#space;
    const relation = table.vector(relationRow);
    return Float64Array.from(table.vector(anchor), (value, k) => value + relation[k]!);
  }

  #exact(anchor: Float64Array, row: number): number {
    return this.#scorer.score(anchor, this.#space.table.vector(row), 1);
  }

  /** Most by which the float32 score of a candidate, turned into an exact one, differs from the exact score. */
  #slack(anchor: Float64Array): number {
    const { dim, scorer } = this.#space.model;
    let [sum, square] = [0, 0];
    for (const value of anchor) {
      sum += Math.abs(value);
      square += value * value;
    }
    const { absolute, euclidean } = this.#norms;
    const error = (dim + 16) * UNIT;
    if (scorer === 'transe-l1') return error * (sum + absolute);
    const length = Math.sqrt(square);
    if (scorer === 'twhin') return error * length * euclidean;
    return 2 * error * (length + euclidean) ** 2;
  }

  /** A float32 score that every candidate with this exact score or a higher one reaches. */
  #reached(exact: number): number {
    const score = this.#asScore(exact);
    // To the kernel, vectors nearer than this are as far apart as this.
    return this.#space.model.scorer === 'transe-l2' ? Math.min(score, -1.001 * NEAREST) : score;
  }

  #asScore(exact: number): number {
    if (this.#space.model.scorer !== 'transe-l2') return exact;
    return exact >= 0 ? 0 : -Math.sqrt(-exact);
  }
}

/** 1 where the candidate's score is higher than the wanted one, a half where it is equal. */
function ahead(candidate: number, wanted: number): number {
  if (candidate > wanted) return 1;
  return candidate === wanted ? 0.5 : 0;
}

interface Norms {
  /** The largest L1 and L2 length of a candidate. */
  readonly absolute: number;
  readonly euclidean: number;
}

function largestNorms({ table }: Space, candidates: Int32Array): Norms {
  let [absolute, square] = [0, 0];
  for (const row of candidates) {
    let [sum, squares] = [0, 0];
    for (const value of table.vector(row)) {
      sum += Math.abs(value);
      squares += value * value;
    }
    absolute = Math.max(absolute, sum);
    square = Math.max(square, squares);
  }
  return { absolute, euclidean: Math.sqrt(square) };
}
