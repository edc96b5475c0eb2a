import type { EdgeRows } from '../../../graph/edge.ts';
import type { Kernel } from '../../../model/kernel.ts';
import type { FixedCandidates } from '../../../sampling/fixed-candidates.ts';
import type { KnownPositives } from '../../../sampling/known-positives.ts';
import type { RankSums, TrainerSettings } from '../trainer.ts';
import { type Block, blocksOf, HIT_RANK, harmonic, Ranker, rankAmong, unmasked } from './ranker.ts';

/** The report of no edges. */
export function noRanks(): RankSums {
  return { count: 0, reciprocal: 0, hits10: 0, popularityReciprocal: 0, randomReciprocal: 0 };
}

export interface EvaluatorParts {
  readonly settings: TrainerSettings;
  readonly kernel: Pick<Kernel, 'scoreMatrix'>;
  readonly known: KnownPositives;
  readonly candidates: FixedCandidates;
  /** [maxRows] 1 where a row was trained before. */
  readonly trained: Uint8Array;
}

/**
 * Measures the model on edges that it has not seen: ranks a sample of a batch before the batch is trained. rhs is ranked
 * among fixed candidates of its type by the score from lhs; the same candidates are also ranked by in-degree and by chance.
 */
export class Evaluator {
  readonly #parts: EvaluatorParts;
  readonly #ranker: Ranker;

  constructor(parts: EvaluatorParts) {
    this.#parts = parts;
    this.#ranker = new Ranker(parts.kernel, parts.known, parts.settings.evaluatedCandidates);
  }

  /**
   * Ranks `evaluatedEdges` of the batch's edges, evenly spaced. Edges that are live already test nothing, and are
   * passed over. Rows that were never trained are zeros at this point: they stand at the origin.
   */
  evaluate(edges: EdgeRows): { known: RankSums[]; fresh: RankSums[] } {
    const { settings, known } = this.#parts;
    const sums = { known: settings.relations.map(noRanks), fresh: settings.relations.map(noRanks) };
    const { lhs, relation, rhs } = edges;
    const picks = Math.min(settings.evaluatedEdges, lhs.length);
    const picked: number[] = [];
    for (let pick = 0; pick < picks; pick++) {
      const i = Math.floor(((2 * pick + 1) * lhs.length) / (2 * picks));
      if (!known.has(lhs[i]!, relation[i]!, rhs[i]!)) picked.push(i);
    }
    for (const block of blocksOf(edges, picked)) this.#rank(block, edges, sums);
    return sums;
  }

  #rank(block: Block, edges: EdgeRows, sums: { known: RankSums[]; fresh: RankSums[] }): void {
    const { relation, members } = block;
    const { settings, known, trained } = this.#parts;
    const candidates = this.#parts.candidates.of(settings.relations[relation]!.rhsType);
    const inDegrees = candidates.map((row) => known.degree('rhs', row));
    const scored = this.#ranker.score(block, edges, candidates);
    members.forEach((i, k) => {
      const { wanted, scores, mask } = scored[k]!;
      const [lhs, rhs] = [edges.lhs[i]!, edges.rhs[i]!];
      const negatives = unmasked(mask);
      // Without a candidate every model would be right.
      if (negatives === 0) return;
      const of = (trained[lhs] === 1 && trained[rhs] === 1 ? sums.known : sums.fresh)[relation]!;
      const rank = rankAmong(wanted, scores, mask);
      of.count++;
      of.reciprocal += 1 / rank;
      if (rank <= HIT_RANK) of.hits10++;
      of.popularityReciprocal += 1 / rankAmong(known.degree('rhs', rhs), inDegrees, mask);
      of.randomReciprocal += harmonic(negatives + 1) / (negatives + 1);
    });
  }
}
