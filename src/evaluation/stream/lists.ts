import type { Random } from '../../sampling/random.ts';
import { bootstrap, type Interval } from '../bootstrap.ts';
import { LIST, LIST_FIGURES, listFigures, listFiguresByChance, rankAll } from '../ranked-list.ts';
import type { Recommender } from './recommender.ts';
import type { Task } from './split.ts';

/** Tasks scored at once: a matrix product. Other work gets its turn after them. */
const BLOCK = 16;

/** How well the tasks of a scope were ranked. */
export interface ListQuality {
  /** By figure of LIST_FIGURES: [tasks] the value of each task. */
  readonly figures: readonly Float64Array[];
  /** Share of the candidates that are in the list of at least one user. */
  readonly coverage: number;
}

/**
 * Ranks the tasks, by scope's name, each against all candidates of its scope. `turn` is awaited after every block of tasks;
 * it may throw to end the ranking.
 */
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

/** By name of a figure, such as recall20 or ndcg20. */
type ListIntervals = Readonly<Record<string, Interval>>;

/** Every way of ranking on the tasks of one scope. */
export interface ScopeFigures {
  readonly scope: string;
  readonly users: number;
  readonly candidates: number;
  readonly ways: Readonly<Record<string, { readonly figures: ListIntervals; readonly coverage: number }>>;
  /** The figures of the first way minus those of each other way, user by user. */
  readonly lead: Readonly<Record<string, ListIntervals>>;
}

/** The figures of a scope, with intervals by user. ways: by name, the vectors first. */
export function scopeFigures(
  { scope, candidates }: Pick<ScopeFigures, 'scope' | 'candidates'>,
  ways: Readonly<Record<string, ListQuality>>,
  random: Random,
): ScopeFigures {
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
    lead: Object.fromEntries(others.map(([name], n) => [name, named(1 + others.length + n)])),
  };
}
