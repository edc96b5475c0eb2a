import { Best } from '../../kernels/scan/best.ts';
import { rankAmong } from '../../pipeline/training/ranking/ranker.ts';
import type { Random } from '../../sampling/random.ts';
import { bootstrap } from '../bootstrap.ts';
import type { Recommender } from './recommender.ts';
import type { Task } from './split.ts';

/** Lengths of the list at which recall is measured. */
export const RECALL_AT = [10, 20, 50, 100] as const;
/** Length of the list at which NDCG and coverage are measured. */
export const LIST = 20;

/** The figures of one user's ranking, in this order. */
export const LIST_FIGURES = [...RECALL_AT.map((k) => `recall${k}`), `ndcg${LIST}`] as const;

/**
 * Ranks targets among all candidates. A tie counts half; a score that is no number is below all others.
 * scores: [candidates], overwritten; targets and leftOut: candidate numbers, no number in both.
 * Gives the rank of each target among the candidates that are not left out, other targets included; and up to {@link LIST} candidates of
 * the highest scores, of equal ones those of the lower number.
 */
export function rankAll(scores: Float64Array, targets: Int32Array, leftOut: Iterable<number>) {
  for (let k = 0; k < scores.length; k++) if (Number.isNaN(scores[k])) scores[k] = -Number.MAX_VALUE;
  const mask = new Uint8Array(scores.length);
  for (const k of leftOut) mask[k] = 1;
  // Among all, a target ties with itself.
  const ranks = Float64Array.from(targets, (target) => rankAmong(scores[target]!, scores, mask) - 0.5);
  const bestFirst = (a: number, b: number) => scores[b]! - scores[a]! || a - b;
  const best = new Best<number>(LIST, (a, b) => bestFirst(a, b) > 0);
  for (let k = 0; k < scores.length; k++) if (mask[k] === 0) best.offer(k);
  return { ranks, top: best.held.toSorted(bestFirst) };
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

/** Tasks scored at once: a matrix product. Other work gets its turn after them. */
const BLOCK = 16;

export interface ListQuality {
  /** By figure of LIST_FIGURES: [tasks] the value of each task. */
  readonly figures: readonly Float64Array[];
  /** Share of the candidates that are in the list of at least one user. */
  readonly coverage: number;
}

/** Ranks the tasks, by scope's name, against all candidates. `turn` is awaited after every block; it may throw to end the ranking. */
export async function rankTasks(
  tasks: readonly Task[],
  recommender: Recommender,
  turn: (done: number, of: number) => Promise<void>,
): Promise<Map<string, ListQuality>> {
  const byScope = Map.groupBy(tasks, ({ scope }) => scope);
  const quality = new Map<string, ListQuality>();
  let done = 0;
  for (const [scope, own] of byScope) {
    const { length } = scope.pair.candidates;
    const scores = new Float64Array(BLOCK * length);
    const figures = LIST_FIGURES.map(() => new Float64Array(own.length));
    const listed = new Uint8Array(length);
    for (let first = 0; first < own.length; first += BLOCK) {
      const block = own.slice(first, first + BLOCK);
      const users = block.map(({ lhs }) => lhs);
      recommender.score(users, scope, scores.subarray(0, block.length * length));
      block.forEach(({ targets, seen }, i) => {
        const { ranks, top } = rankAll(scores.subarray(i * length, (i + 1) * length), targets, seen);
        listFigures(ranks).forEach((value, figure) => {
          figures[figure]![first + i] = value;
        });
        for (const item of top) listed[item] = 1;
      });
      done += block.length;
      await turn(done, tasks.length);
    }
    quality.set(scope.name, {
      figures,
      coverage: listed.reduce((sum, each) => sum + each, 0) / listed.length,
    });
  }
  return quality;
}

/** The same for a random order, on average. */
export function rankByChance(tasks: readonly Task[]): Map<string, ListQuality> {
  const byScope = Map.groupBy(tasks, ({ scope }) => scope);
  return new Map(
    [...byScope].map(([scope, own]) => {
      const all = scope.pair.candidates.length;
      const values = own.map(({ targets, seen }) => listFiguresByChance(targets.length, all - seen.length));
      // A candidate is missed by every list with this chance.
      const missed = own.reduce(
        (chance, { seen }) => chance * Math.max(0, 1 - LIST / (all - seen.length)),
        1,
      );
      const figures = LIST_FIGURES.map((_, figure) => Float64Array.from(values, (each) => each[figure]!));
      return [scope.name, { figures, coverage: 1 - missed }];
    }),
  );
}

/** Every way of ranking on the tasks of one scope. */
export type ScopeFigures = ReturnType<typeof scopeFigures>;

/** The figures of a scope, with intervals by user. ways: by name, the vectors first. */
export function scopeFigures(
  { scope, candidates }: { readonly scope: string; readonly candidates: number },
  ways: Readonly<Record<string, ListQuality>>,
  random: Random,
) {
  const [first, ...others] = Object.entries(ways);
  const vectors = first?.[1].figures ?? [];
  const users = vectors[0]?.length ?? 0;
  const sums = [
    ...Object.values(ways).flatMap(({ figures }) => figures),
    ...others.flatMap(([, { figures }]) =>
      figures.map((values, figure) => values.map((value, i) => vectors[figure]![i]! - value)),
    ),
  ];
  const intervals = bootstrap({ counts: new Float64Array(users).fill(1), sums }, random);
  /** By name of a figure, such as recall20 or ndcg20. */
  const named = (block: number) =>
    Object.fromEntries(
      LIST_FIGURES.map((name, figure) => [name, intervals[block * LIST_FIGURES.length + figure]!]),
    );
  return {
    scope,
    users,
    candidates,
    ways: Object.fromEntries(
      Object.entries(ways).map(([name, { coverage }], n) => [name, { figures: named(n), coverage }]),
    ),
    /** The figures of the first way minus those of each other way, user by user. */
    lead: Object.fromEntries(others.map(([name], n) => [name, named(1 + others.length + n)])),
  };
}
