/** Lengths of the list at which recall is measured. */
export const RECALL_AT = [10, 20, 50, 100] as const;
/** Length of the list at which NDCG and coverage are measured. */
export const LIST = 20;

/** The figures of one user's ranking, in this order. */
export const LIST_FIGURES = [...RECALL_AT.map((k) => `recall${k}`), `ndcg${LIST}`] as const;

/** The ranking of all candidates for one user. */
export interface Ranking {
  /** [targets] the rank of each target among the candidates that are not left out, other targets included. */
  readonly ranks: Float64Array;
  /** Up to {@link LIST} candidates of the highest scores; of equal ones, those of the lower number. */
  readonly top: readonly number[];
  /** Candidates that are not left out. */
  readonly candidates: number;
}

/**
 * Ranks targets among all candidates. A tie counts half; a score that is no number is below all others.
 * scores: [candidates], overwritten; targets and leftOut: candidate numbers, no number in both.
 */
export function rankAll(scores: Float64Array, targets: Int32Array, leftOut: Iterable<number>): Ranking {
  for (let k = 0; k < scores.length; k++) if (Number.isNaN(scores[k])) scores[k] = -Number.MAX_VALUE;
  let candidates = scores.length;
  for (const k of leftOut) {
    scores[k] = Number.NEGATIVE_INFINITY;
    candidates--;
  }
  const ranks = Float64Array.from(targets, (target) => {
    const wanted = scores[target]!;
    let [above, equal] = [0, 0];
    for (let k = 0; k < scores.length; k++) {
      if (scores[k]! > wanted) above++;
      else if (scores[k] === wanted) equal++;
    }
    return 1 + above + (equal - 1) / 2;
  });
  return { ranks, top: topOf(scores), candidates };
}

function topOf(scores: Float64Array): number[] {
  const top: number[] = [];
  for (let k = 0; k < scores.length; k++) {
    const score = scores[k]!;
    if (score === Number.NEGATIVE_INFINITY) continue;
    if (top.length === LIST && score <= scores[top[LIST - 1]!]!) continue;
    let place = top.length;
    while (place > 0 && scores[top[place - 1]!]! < score) place--;
    top.splice(place, 0, k);
    if (top.length > LIST) top.pop();
  }
  return top;
}

/**
 * [LIST_FIGURES] recall@k: the share of the targets whose rank is k or better. NDCG@20 with gain 1 for a target: the sum
 * of 1/log2(1 + rank) over the targets ranked 20 or better, over that of the best possible list.
 * Source: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques".
 */
export function listFigures(ranks: Float64Array): number[] {
  const hits = (k: number) => ranks.reduce((sum, rank) => sum + (rank <= k ? 1 : 0), 0);
  const gain = ranks.reduce((sum, rank) => sum + (rank <= LIST ? 1 / Math.log2(1 + rank) : 0), 0);
  return [...RECALL_AT.map((k) => hits(k) / ranks.length), gain / bestGain(ranks.length)];
}

/** [LIST_FIGURES] what a random order gives on average. */
export function listFiguresByChance(targets: number, candidates: number): number[] {
  const gain = (bestGain(Math.min(LIST, candidates)) * targets) / candidates;
  return [...RECALL_AT.map((k) => Math.min(1, k / candidates)), gain / bestGain(targets)];
}

/** The gain of a list whose first places are targets. */
function bestGain(targets: number): number {
  let sum = 0;
  for (let rank = 1; rank <= Math.min(LIST, targets); rank++) sum += 1 / Math.log2(1 + rank);
  return sum;
}
