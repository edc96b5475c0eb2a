import type { Random } from '../../sampling/random.ts';
import { bootstrap, type Interval } from '../bootstrap.ts';
import { LIST_FIGURES } from '../ranked-list.ts';
import type { ListQuality } from './list-quality.ts';

/** By name of a figure, such as recall20 or ndcg20. */
export type ListIntervals = Readonly<Record<string, Interval>>;

/** Every way of ranking on the tasks of one scope. */
export interface ScopeFigures {
  readonly scope: string;
  readonly users: number;
  readonly candidates: number;
  readonly ways: Readonly<Record<string, { readonly figures: ListIntervals; readonly coverage: number }>>;
  /** The means of each run of the vectors, by figure. */
  readonly bySeed: readonly Readonly<Record<string, number>>[];
  /** The figures of the vectors minus those of each other way, user by user. */
  readonly lead: Readonly<Record<string, ListIntervals>>;
}

/** The mean of several runs on the same tasks. */
export function meanQuality(runs: readonly ListQuality[]): ListQuality {
  const figures = LIST_FIGURES.map((_, figure) =>
    Float64Array.from(
      runs[0]?.figures[figure] ?? [],
      (_value, i) => runs.reduce((sum, run) => sum + run.figures[figure]![i]!, 0) / runs.length,
    ),
  );
  return { figures, coverage: runs.reduce((sum, { coverage }) => sum + coverage, 0) / runs.length };
}

/**
 * The figures of a scope, with intervals by user.
 * runs: the vectors with each seed, of which the mean is given; others: by name, what the vectors are compared with.
 */
export function scopeFigures(
  { scope, candidates }: Pick<ScopeFigures, 'scope' | 'candidates'>,
  runs: readonly ListQuality[],
  others: Readonly<Record<string, ListQuality>>,
  random: Random,
): ScopeFigures {
  const vectors = meanQuality(runs);
  const ways: Readonly<Record<string, ListQuality>> = { vectors, ...others };
  const users = vectors.figures[0]?.length ?? 0;
  const sums = [
    ...Object.values(ways).flatMap(({ figures }) => figures),
    ...Object.values(others).flatMap(({ figures }) =>
      figures.map((values, figure) => values.map((value, i) => vectors.figures[figure]![i]! - value)),
    ),
  ];
  const intervals = bootstrap({ counts: new Float64Array(users).fill(1), sums }, random);
  const named = (block: number) =>
    Object.fromEntries(
      LIST_FIGURES.map((name, figure) => [name, intervals[block * LIST_FIGURES.length + figure]!]),
    );
  const names = Object.keys(ways);
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / users;
  return {
    scope,
    users,
    candidates,
    ways: Object.fromEntries(
      Object.entries(ways).map(([name, { coverage }], n) => [name, { figures: named(n), coverage }]),
    ),
    bySeed: runs.map(({ figures }) =>
      Object.fromEntries(LIST_FIGURES.map((name, figure) => [name, mean(figures[figure]!)])),
    ),
    lead: Object.fromEntries(Object.keys(others).map((name, n) => [name, named(names.length + n)])),
  };
}
