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
  /** The figures of the first way minus those of each other, user by user. */
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

/** The figures of a scope, with intervals by user. ways: by name, the first is compared with the others. */
export function scopeFigures(
  { scope, candidates }: Pick<ScopeFigures, 'scope' | 'candidates'>,
  ways: Readonly<Record<string, ListQuality>>,
  random: Random,
): ScopeFigures {
  const names = Object.keys(ways);
  const [first = '', ...others] = names;
  const values = (name: string) => ways[name]!.figures;
  const users = values(first)[0]?.length ?? 0;
  const sums = [
    ...names.flatMap(values),
    ...others.flatMap((name) =>
      LIST_FIGURES.map((_, figure) => {
        const [a, b] = [values(first)[figure]!, values(name)[figure]!];
        return Float64Array.from(a, (value, i) => value - b[i]!);
      }),
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
      names.map((name, n) => [name, { figures: named(n), coverage: ways[name]!.coverage }]),
    ),
    lead: Object.fromEntries(others.map((name, n) => [name, named(names.length + n)])),
  };
}
