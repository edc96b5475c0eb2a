import type { Random } from '../../sampling/random.ts';

/** A setting that a search varies, with the values that a trial may give it. */
export interface Dimension {
  /** Key of the configuration, such as model.beta. */
  readonly key: string;
  readonly values: readonly (number | boolean)[];
}

/** What a search varies where no setting is fixed. Values of a number are about evenly spaced in their logarithm. */
export const DIMENSIONS: readonly Dimension[] = [
  { key: 'model.beta', values: [4, 6, 9, 12, 16] },
  { key: 'model.learningRate', values: [0.02, 0.03, 0.05, 0.07, 0.1, 0.15] },
  { key: 'model.negativeWeight', values: [1, 2, 3, 5, 10] },
  { key: 'training.updatesPerEdge', values: [1, 2, 4, 8] },
  { key: 'training.chunkEdges', values: [32, 64, 128] },
  { key: 'training.uniformNegatives', values: [64, 128, 192, 256] },
  { key: 'training.inBatchNegatives', values: [true, false] },
  { key: 'training.initScale', values: [0.05, 0.1, 0.15, 0.25] },
];

/** A chance for each setting to keep the value that it has: the current settings are a good place to look around. */
const KEEPS = 0.5;
const ATTEMPTS = 100;

/**
 * Draws the settings of `trials` different trials, as `key=value`, each with at least one value that is not current.
 * current: by key; a setting that is not in it is not varied.
 * Gives fewer where there are not as many combinations. Source: Bergstra and Bengio 2012, "Random search for hyper-parameter optimization".
 */
export function drawTrials(
  dimensions: readonly Dimension[],
  current: ReadonlyMap<string, number | boolean>,
  trials: number,
  random: Random,
): string[][] {
  const varied = dimensions.flatMap(({ key, values }) => {
    const others = values.filter((value) => value !== current.get(key));
    return current.has(key) && others.length > 0 ? [{ key, others }] : [];
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
