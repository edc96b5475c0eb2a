import type { RankedEdges, TrainerSettings } from '../pipeline/training/trainer.ts';
import type { Random } from '../sampling/random.ts';
import { LIST_FIGURES, type ListQuality } from './stream/lists.ts';
import { CANDIDATE_SETS, scoredBy, slicesOf } from './stream/slices.ts';
import type { Scope } from './stream/split.ts';

/** A setting that a search varies, with the values that a trial may give it. */
export interface Dimension {
  /** Key of the configuration, such as model.beta. */
  readonly key: string;
  readonly values: readonly (number | boolean)[];
  readonly current: number | boolean;
}

/** What a search varies around the current settings, but for fixed keys. Values of a number are about evenly spaced in their logarithm. */
export function dimensionsOf(trainer: TrainerSettings, fixed: readonly string[]): Dimension[] {
  const { loss, beta, learningRate, negativeWeight } = trainer.model;
  const { updatesPerEdge, chunkEdges, uniformNegatives, inBatchNegatives, initScale } = trainer;
  const all: Dimension[] = [
    // The other losses have no such temperature.
    ...(loss === 'softmax' ? [{ key: 'model.beta', values: [4, 6, 9, 12, 16], current: beta }] : []),
    { key: 'model.learningRate', values: [0.02, 0.03, 0.05, 0.07, 0.1, 0.15], current: learningRate },
    { key: 'model.negativeWeight', values: [1, 2, 3, 5, 10], current: negativeWeight },
    { key: 'training.updatesPerEdge', values: [1, 2, 4, 8], current: updatesPerEdge },
    { key: 'training.chunkEdges', values: [32, 64, 128], current: chunkEdges },
    { key: 'training.uniformNegatives', values: [64, 128, 192, 256], current: uniformNegatives },
    { key: 'training.inBatchNegatives', values: [true, false], current: inBatchNegatives },
    { key: 'training.initScale', values: [0.05, 0.1, 0.15, 0.25], current: initScale },
  ];
  return all.filter(({ key }) => !fixed.includes(key));
}

/** A chance for each setting to keep the value that it has: the current settings are a good place to look around. */
const KEEPS = 0.5;
const ATTEMPTS = 100;

/**
 * Draws the settings of `trials` different trials, as `key=value`, each with at least one value that is not current.
 * Gives fewer where there are not as many combinations. Source: Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
 */
export function drawTrials(dimensions: readonly Dimension[], trials: number, random: Random): string[][] {
  const varied = dimensions.flatMap(({ key, values, current }) => {
    const others = values.filter((value) => value !== current);
    return others.length > 0 ? [{ key, others }] : [];
  });
  const drawn = new Map<string, string[]>();
  for (let attempt = 0; attempt < ATTEMPTS * trials && drawn.size < trials; attempt++) {
    const settings = varied.flatMap(({ key, others }) =>
      random.uniform() < KEEPS ? [] : [`${key}=${others[random.below(others.length)]}`],
    );
    if (settings.length > 0) drawn.set(settings.join(' '), settings);
  }
  return [...drawn.values()];
}

/** A round of successive halving: every trial that is left trains on as large a part of the stream. */
export interface Round {
  /** Share of the stream, its newest records. */
  readonly share: number;
  /** How many trials go on to the next round; after the last one, 1. */
  readonly keeps: number;
}

/** A trial in so many goes on, on so many times as many records. */
const FACTOR = 3;
const MOST_ROUNDS = 3;

/**
 * Rounds for so many trials on so many records: each has three times as many records as the one before and a third of its
 * trials; the last has all records. A part of fewer than `least` records is no round: what is best on it says little.
 * Source: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter optimization".
 */
export function roundsFor(trials: number, records: number, least: number): Round[] {
  const powers = (of: number) => Math.floor(Math.log(Math.max(1, of)) / Math.log(FACTOR) + 1e-9);
  const rounds = 1 + Math.min(MOST_ROUNDS - 1, powers(trials), powers(records / least));
  let left = trials;
  return Array.from({ length: rounds }, (_, round) => {
    left = round === rounds - 1 ? 1 : Math.ceil(left / FACTOR);
    return { share: FACTOR ** (round + 1 - rounds), keeps: left };
  });
}

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
  // A list for a user is made from the scope of a pair that has all its relations.
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
