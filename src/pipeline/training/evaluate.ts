import type { Kernel } from '../../model/kernel.ts';
import type { FixedCandidates } from '../../sampling/fixed-candidates.ts';
import type { KnownPositives, MaskTask } from '../../sampling/known-positives.ts';
import type { RankSums, TrainerSettings, Triples } from './trainer.ts';

/** Ranks up to this one count as hits. */
export const HIT_RANK = 10;

/** The report of no edges. */
export function noRanks(): RankSums {
  return { count: 0, reciprocal: 0, hits10: 0, popularityReciprocal: 0, randomReciprocal: 0 };
}

/**
 * Measures the model on edges that it has not seen: ranks a sample of a batch before the batch is trained. For an
 * edge, rhs is ranked among fixed candidates of its type by the score from lhs; known positives of lhs and relation
 * are left out. The same candidates are also ranked by in-degree and by chance. Ties count half. Draws no random
 * number and changes nothing, so that evaluation has no effect on training.
 */
export class Evaluator {
  readonly #settings: TrainerSettings;
  readonly #kernel: Pick<Kernel, 'scores'>;
  readonly #known: KnownPositives;
  readonly #candidates: FixedCandidates;
  readonly #trained: Uint8Array;
  /** One edge to mask; element 0 of its candidates is the positive. */
  readonly #task: MaskTask;
  readonly #scores: Float32Array;
  readonly #inDegrees: Float32Array;

  /** trained: [maxRows] 1 where a row was trained before. */
  constructor(options: {
    settings: TrainerSettings;
    kernel: Pick<Kernel, 'scores'>;
    known: KnownPositives;
    candidates: FixedCandidates;
    trained: Uint8Array;
  }) {
    this.#settings = options.settings;
    this.#kernel = options.kernel;
    this.#known = options.known;
    this.#candidates = options.candidates;
    this.#trained = options.trained;
    const stride = 1 + options.settings.evaluatedCandidates;
    this.#task = {
      side: 'rhs',
      hub: () => Number.POSITIVE_INFINITY,
      edges: 1,
      anchors: new Int32Array(1),
      relation: new Int32Array(1),
      positives: new Int32Array(1),
      count: 0,
      candidates: new Int32Array(stride),
      mask: new Uint8Array(stride),
      stride,
    };
    this.#scores = new Float32Array(stride);
    this.#inDegrees = new Float32Array(stride);
  }

  /**
   * Ranks `evaluatedEdges` of the batch's edges, evenly spaced. Edges that are live already test nothing, and are
   * passed over. Rows that were never trained are zeros at this point: they stand at the origin.
   */
  evaluate(edges: Triples): { known: RankSums[]; fresh: RankSums[] } {
    const known = this.#settings.relations.map(noRanks);
    const fresh = this.#settings.relations.map(noRanks);
    const total = edges.lhs.length;
    const picks = Math.min(this.#settings.evaluatedEdges, total);
    for (let pick = 0; pick < picks; pick++) {
      const i = Math.floor(((2 * pick + 1) * total) / (2 * picks));
      const lhs = edges.lhs[i]!;
      const relation = edges.relation[i]!;
      const rhs = edges.rhs[i]!;
      if (this.#known.has(lhs, relation, rhs)) continue;
      const seen = this.#trained[lhs] === 1 && this.#trained[rhs] === 1;
      this.#rank(lhs, relation, rhs, (seen ? known : fresh)[relation]!);
    }
    return { known, fresh };
  }

  #rank(lhs: number, relation: number, rhs: number, sums: RankSums): void {
    const task = this.#task;
    const fixed = this.#candidates.of(this.#settings.relations[relation]!.rhsType);
    const count = 1 + fixed.length;
    task.anchors[0] = lhs;
    task.relation[0] = relation;
    task.positives[0] = rhs;
    task.candidates[0] = rhs;
    task.candidates.set(fixed, 1);
    task.count = count;
    this.#known.mask(task);
    let negatives = 0;
    for (let k = 0; k < count; k++) {
      if (task.mask[k] === 0) negatives++;
      this.#inDegrees[k] = this.#known.inDegree(task.candidates[k]!);
    }
    // Without a candidate every model would be right.
    if (negatives === 0) return;
    this.#kernel.scores(
      lhs,
      2 * relation,
      task.candidates.subarray(0, count),
      this.#scores.subarray(0, count),
    );
    const rank = rankOfFirst(this.#scores, task.mask, count);
    sums.count++;
    sums.reciprocal += 1 / rank;
    if (rank <= HIT_RANK) sums.hits10++;
    sums.popularityReciprocal += 1 / rankOfFirst(this.#inDegrees, task.mask, count);
    sums.randomReciprocal += harmonic(negatives + 1) / (negatives + 1);
  }
}

/** Rank of element 0 among the unmasked elements, 1 for the highest value; a tie counts half. */
export function rankOfFirst(values: ArrayLike<number>, mask: Uint8Array, count: number): number {
  return rankIn(values, mask, 1, count);
}

/**
 * Rank of element 0 among itself and the unmasked elements from `from` to before `end`. A tie counts half; a value that
 * is no number ranks last.
 */
export function rankIn(values: ArrayLike<number>, mask: Uint8Array, from: number, end: number): number {
  const first = values[0]!;
  let rank = 1;
  for (let k = from; k < end; k++) {
    if (mask[k] !== 0) continue;
    const value = values[k]!;
    if (value > first || Number.isNaN(first)) rank++;
    else if (value === first) rank += 0.5;
  }
  return rank;
}

/** 1 + 1/2 + … + 1/n. Over n, it is the mean of 1/rank when every rank is as likely. */
export function harmonic(n: number): number {
  let sum = 0;
  for (let i = n; i >= 1; i--) sum += 1 / i;
  return sum;
}
