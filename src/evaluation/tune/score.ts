import type { RankedEdges } from '../../pipeline/training/trainer.ts';
import { LIST_FIGURES } from '../ranked-list.ts';
import type { ListQuality } from '../stream/list-quality.ts';
import { CANDIDATE_SETS, scoredBy } from '../stream/ranked-edges.ts';
import { slicesOf } from '../stream/slice-figures.ts';
import type { Scope } from '../stream/split.ts';

/** What decides between trials. All are higher for better vectors, and between 0 and 1. */
export interface TrialFigures {
  /** MRR of new edges between known entities before they are learned, by set of candidates. */
  readonly mrrUniform: number;
  readonly mrrDegree: number;
  /** recall@20 of held-back targets among all entities of the type, mean over users. */
  readonly recall20: number;
}

/** A figure below this counts as this: one that is 0 would hide the others. */
const LEAST = 1e-4;

/** The figures of a trained model. A figure of which the stream has no case is 0. */
export function trialFigures(
  lists: ReadonlyMap<string, ListQuality>,
  ranked: RankedEdges,
  scopes: readonly Scope[],
): TrialFigures {
  // Of the scopes of a pair, the one of all its relations is what a list for a user is made from.
  const whole = scopes.filter(({ pair, relations }) => relations.length === pair.relations.length);
  const column = LIST_FIGURES.indexOf('recall20');
  const recalls = whole.flatMap(({ name }) => Array.from(lists.get(name)?.figures[column] ?? []));
  const known = slicesOf([]).find(({ name }) => name === 'both known');
  const picked = Array.from(ranked.edge.keys()).filter((i) => known?.has(ranked, i));
  const scored = scoredBy(ranked, 'vectors');
  const [mrrUniform = 0, mrrDegree = 0] = CANDIDATE_SETS.map((set) =>
    mean(picked.map((i) => scored[set].reciprocal[i]!)),
  );
  return { mrrUniform, mrrDegree, recall20: mean(recalls) };
}

/** The geometric mean of the figures: a trial is ahead where it gains more, in proportion, than it loses. */
export function scoreOf({ mrrUniform, mrrDegree, recall20 }: TrialFigures): number {
  return Math.cbrt(
    [mrrUniform, mrrDegree, recall20].reduce((product, each) => product * Math.max(LEAST, each), 1),
  );
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
