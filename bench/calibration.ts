/**
 * How well calibrated the probabilities of `/v1/rank` are, as Markdown: `npx node bench/calibration.ts --higgs FILE [--users N]`.
 *
 * The graph `engagement` is trained on all but the newest 15 % of Higgs. Each new target of a user, by each relation, is put among
 * negatives that the user never had by it: drawn from all tweets alike, or from the live edges, that is by degree. The
 * probability of each of them being the one chosen is compared with how often it was. A temperature, by which all scores are divided, is
 * fitted to the log loss of half of the users, and both are measured on the other half.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ByVectors, modelOf } from '../src/evaluation/stream/recommender.ts';
import type { Task } from '../src/evaluation/stream/split.ts';
import { entityKey } from '../src/graph/entity.ts';
import { Random } from '../src/sampling/random.ts';
import { ChosenAmong } from '../src/serve/chosen.ts';
import { type TrainedHiggs, withTrainedHiggs } from './trained-higgs.ts';

const NEGATIVES = [1, 9, 99];
const WAYS = ['uniform', 'by degree'] as const;
/** Equal parts of the range of probabilities. Source: Guo et al. 2017, "On Calibration of Modern Neural Networks". */
const BINS = 15;
/** Tasks that are scored at once. */
const BLOCK = 16;
/** Between these, the best temperature is looked for. */
const [COLDEST, HOTTEST] = [0.1, 20];

const { values } = parseArgs({
  options: { higgs: { type: 'string' }, users: { type: 'string', default: '5000' } },
});
const { higgs } = values;
if (higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

/** A choice: the score of what was chosen, and those of the negatives. */
interface Choice {
  readonly user: number;
  readonly chosen: number;
  readonly negatives: readonly number[];
}

interface Calibration {
  /** How often the chosen one has the highest probability, and the mean of that probability. */
  readonly accuracy: number;
  readonly confidence: number;
  /** Expected calibration error of the highest probability, and of all probabilities. */
  readonly ofHighest: number;
  readonly ofAll: number;
  readonly logLoss: number;
}

/** The probability of each, by what is served. The chosen one first. */
function probabilitiesOf({ chosen, negatives }: Choice, temperature: number): number[] {
  const scores = [chosen, ...negatives].map((score, i) => ({
    entity: entityKey('tweet', `${i}`),
    score: score / temperature,
  }));
  // Each of them is a candidate among the others.
  const among = new ChosenAmong(scores);
  return scores.map(({ entity, score }) => among.probability(entity, score)!);
}

class Bins {
  readonly #sums = Array.from({ length: BINS }, () => ({ count: 0, probability: 0, hits: 0 }));

  add(probability: number, hit: boolean): void {
    const bin = this.#sums[Math.min(BINS - 1, Math.floor(probability * BINS))]!;
    bin.count++;
    bin.probability += probability;
    if (hit) bin.hits++;
  }

  /** The mean distance between probability and share of hits, by bin. */
  get error(): number {
    const all = this.#sums.reduce((sum, { count }) => sum + count, 0);
    return this.#sums.reduce((sum, { probability, hits }) => sum + Math.abs(probability - hits), 0) / all;
  }
}

function calibrationOf(choices: readonly Choice[], temperature: number): Calibration {
  const [highest, all] = [new Bins(), new Bins()];
  let [accuracy, confidence, logLoss] = [0, 0, 0];
  for (const choice of choices) {
    const probabilities = probabilitiesOf(choice, temperature);
    for (const [i, probability] of probabilities.entries()) all.add(probability, i === 0);
    const most = Math.max(...probabilities);
    // Of equal ones, one is taken.
    const share = probabilities[0] === most ? 1 : 0;
    highest.add(most, share === 1);
    accuracy += share;
    confidence += most;
    logLoss -= Math.log(Math.max(probabilities[0]!, Number.MIN_VALUE));
  }
  const n = choices.length;
  return {
    ...{ accuracy: accuracy / n, confidence: confidence / n, logLoss: logLoss / n },
    ...{ ofHighest: highest.error, ofAll: all.error },
  };
}

/** The temperature of the least log loss, which has one minimum, by golden section over its logarithm. */
function fittedTemperature(choices: readonly Choice[]): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(COLDEST), Math.log(HOTTEST)];
  const lossAt = (at: number) => calibrationOf(choices, Math.exp(at)).logLoss;
  for (let i = 0; i < 25; i++) {
    const [left, right] = [high - golden * (high - low), low + golden * (high - low)];
    if (lossAt(left) < lossAt(right)) high = right;
    else low = left;
  }
  return Math.exp((low + high) / 2);
}

function choicesOf(
  tasks: readonly Task[],
  { plan: { read, split }, space, beta }: TrainedHiggs,
  way: (typeof WAYS)[number],
  negatives: number,
): Choice[] {
  const random = Random.seeded(1);
  const by = new ByVectors(modelOf(space, read.stream), split);
  const choices: Choice[] = [];
  for (const ofScope of Map.groupBy(tasks, ({ scope }) => scope).values()) {
    const { scope } = ofScope[0]!;
    const { candidates, live } = scope.pair;
    const scores = new Float64Array(BLOCK * candidates.length);
    const draw = () =>
      way === 'uniform' ? random.below(candidates.length) : live.item[random.below(live.item.length)]!;
    for (let first = 0; first < ofScope.length; first += BLOCK) {
      const block = ofScope.slice(first, first + BLOCK);
      by.score(
        block.map(({ lhs }) => lhs),
        scope,
        scores.subarray(0, block.length * candidates.length),
      );
      for (const [i, { lhs, targets, seen }] of block.entries()) {
        const own = scores.subarray(i * candidates.length, (i + 1) * candidates.length);
        const known = new Set([...targets, ...seen]);
        for (const target of targets) {
          const drawn = new Set<number>();
          while (drawn.size < negatives) {
            const item = draw();
            if (!known.has(item)) drawn.add(item);
          }
          const scored = Array.from(drawn, (item) => beta * own[item]!);
          choices.push({ user: lhs, chosen: beta * own[target]!, negatives: scored });
        }
      }
    }
  }
  return choices;
}

async function report(trained: TrainedHiggs): Promise<void> {
  const tasks = trained.plan.tasks.filter(({ scope }) => scope.relations.length === 1);
  const edges = tasks.reduce((sum, { targets }) => sum + targets.length, 0);
  console.log('# How well probabilities are calibrated\n');
  console.log(
    `    npx node bench/calibration.ts --higgs higgs-activity_time.txt.gz --users ${values.users}\n`,
  );
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores shared with other work, Node ${process.version}. Higgs but for its newest 15 %, one seed, beta ${trained.beta}. ` +
      `${edges} new targets of ${new Set(tasks.map(({ lhs }) => lhs)).size} users, by each relation alone, each among negatives that the user never had by it. The temperature is fitted to half of the users; all figures are of the other half. ` +
      `Expected calibration error: the mean distance between probability and share of hits, in ${BINS} equal parts of the range.\n`,
  );
  console.log(
    '| negatives | drawn | temperature | first is right | its mean probability | error of the first | error of all | log loss |',
  );
  console.log('|---:|---|---:|---:|---:|---:|---:|---:|');
  for (const way of WAYS) {
    for (const negatives of NEGATIVES) {
      const choices = choicesOf(tasks, trained, way, negatives);
      const [fitting, measuring] = [0, 1].map((half) => choices.filter(({ user }) => user % 2 === half));
      for (const temperature of [1, fittedTemperature(fitting!)]) {
        const { accuracy, confidence, ofHighest, ofAll, logLoss } = calibrationOf(measuring!, temperature);
        const figures = [accuracy, confidence, ofHighest, ofAll, logLoss].map((value) => value.toFixed(3));
        const fitted = temperature === 1 ? '1, as served' : temperature.toFixed(2);
        console.log(`| ${negatives} | ${way} | ${fitted} | ${figures.join(' | ')} |`);
      }
    }
  }
}

await withTrainedHiggs({ higgs, users: Number(values.users) }, report);
