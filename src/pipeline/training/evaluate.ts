import type { Kernel } from '../../model/kernel.ts';
import type { FixedCandidates } from '../../sampling/fixed-candidates.ts';
import type { KnownPositives } from '../../sampling/known-positives.ts';
import { type Block, blocksOf, HIT_RANK, harmonic, Ranker, rankAmong, unmasked } from './ranker.ts';
import type { RankSums, TrainerSettings, Triples } from './trainer.ts';

/** The report of no edges. */
export function noRanks(): RankSums {
  return { count: 0, reciprocal: 0, hits10: 0, popularityReciprocal: 0, randomReciprocal: 0 };
}

/**
 * Measures the model on edges that it has not seen: ranks a sample of a batch before the batch is trained. rhs is ranked
 * among fixed candidates of its type by the score from lhs; the same candidates are also ranked by in-degree and by chance.
 */
export class Evaluator {
  readonly #settings: TrainerSettings;
  readonly #known: KnownPositives;
  readonly #candidates: FixedCandidates;
  readonly #trained: Uint8Array;
  readonly #ranker: Ranker;

  /** trained: [maxRows] 1 where a row was trained before. */
  constructor(options: {
    settings: TrainerSettings;
    kernel: Pick<Kernel, 'scoreMatrix'>;
    known: KnownPositives;
    candidates: FixedCandidates;
    trained: Uint8Array;
  }) {
    const { settings, kernel, known, candidates, trained } = options;
    this.#settings = settings;
    this.#known = known;
    this.#candidates = candidates;
    this.#trained = trained;
    this.#ranker = new Ranker(kernel, known, settings.evaluatedCandidates);
  }

  /**
   * Ranks `evaluatedEdges` of the batch's edges, evenly spaced. Edges that are live already test nothing, and are
   * passed over. Rows that were never trained are zeros at this point: they stand at the origin.
   */
  evaluate(edges: Triples): { known: RankSums[]; fresh: RankSums[] } {
    const sums = {
      known: this.#settings.relations.map(noRanks),
      fresh: this.#settings.relations.map(noRanks),
    };
    const { lhs, relation, rhs } = edges;
    const picks = Math.min(this.#settings.evaluatedEdges, lhs.length);
    const picked: number[] = [];
    for (let pick = 0; pick < picks; pick++) {
      const i = Math.floor(((2 * pick + 1) * lhs.length) / (2 * picks));
      if (!this.#known.has(lhs[i]!, relation[i]!, rhs[i]!)) picked.push(i);
    }
    for (const block of blocksOf(edges, picked)) this.#rank(block, edges, sums);
    return sums;
  }

  #rank(block: Block, edges: Triples, { known, fresh }: { known: RankSums[]; fresh: RankSums[] }): void {
    const { relation, members } = block;
    const candidates = this.#candidates.of(this.#settings.relations[relation]!.rhsType);
    const inDegrees = candidates.map((row) => this.#known.degree('rhs', row));
    const scored = this.#ranker.score(block, edges, candidates);
    members.forEach((i, k) => {
      const { wanted, scores, mask } = scored[k]!;
      const [lhs, rhs] = [edges.lhs[i]!, edges.rhs[i]!];
      const negatives = unmasked(mask);
      // Without a candidate every model would be right.
      if (negatives === 0) return;
      const sums = (this.#trained[lhs] === 1 && this.#trained[rhs] === 1 ? known : fresh)[relation]!;
      const rank = rankAmong(wanted, scores, mask);
      sums.count++;
      sums.reciprocal += 1 / rank;
      if (rank <= HIT_RANK) sums.hits10++;
      sums.popularityReciprocal += 1 / rankAmong(this.#known.degree('rhs', rhs), inDegrees, mask);
      sums.randomReciprocal += harmonic(negatives + 1) / (negatives + 1);
    });
  }
}
