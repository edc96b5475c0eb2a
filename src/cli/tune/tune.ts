import { join } from 'node:path';
import {
  type EvaluationOutside,
  listFigures,
  type Measured,
  measureStream,
  planStream,
  SEED,
  type StreamPlan,
} from '../../compose/evaluation.ts';
import { keysOf } from '../../config/overrides.ts';
import { UsageError } from '../../errors/errors.ts';
import type { Interval } from '../../evaluation/bootstrap.ts';
import {
  dimensionsOf,
  drawTrials,
  roundsFor,
  scoreOf,
  type TrialFigures,
  trialFigures,
} from '../../evaluation/tune.ts';
import { Random } from '../../sampling/random.ts';
import { planWhole, refuseEmpty } from '../evaluate/command.ts';
import type { StreamRequest } from '../evaluate/request.ts';
import { count } from '../format.ts';

/** A trial in one round. */
interface TriedRound extends TrialFigures {
  /** Records of the part that it was trained on. */
  readonly records: number;
  readonly score: number;
  /** Events trained a second of wall-clock time, ranking included. */
  readonly recordsPerS: number;
}

/** Settings, and what they gave in each round that they came to. */
interface Trial {
  /** `key=value` over the current settings; none: the current ones. */
  readonly settings: readonly string[];
  readonly rounds: TriedRound[];
}

/** The best trial beside the current settings, on the whole stream. Only the held-back part is unseen by trials. */
export interface Confirmed {
  readonly best: TrialFigures;
  readonly current: TrialFigures;
  /** The best minus the current, recall@20 by scope; 95 % intervals by user. */
  readonly lead: Readonly<Record<string, Interval>>;
}

/** The object that `--json` prints. */
export interface TuneReport {
  readonly graph: string;
  /** Records in all, and those that the trials could use. */
  readonly records: number;
  readonly tuned: number;
  readonly holdout: number;
  /** The best first: of those that came furthest, by score. The current settings are among them. */
  readonly trials: readonly Trial[];
  /** Settings of the best trial; none where the current settings were not beaten. */
  readonly best: readonly string[];
  /** Absent where no trial was ahead. */
  readonly confirmed?: Confirmed;
  readonly seconds: number;
}

/** Searches by random trials and successive halving, and measures the best on what no trial has seen. */
export async function tune(
  request: StreamRequest,
  { trials, seed, firstRound }: { trials: number; seed: number; firstRound: number },
  outside: EvaluationOutside,
): Promise<TuneReport> {
  const started = performance.now();
  const { graph, options } = request;
  const drawn = drawTrials(dimensionsOf(graph.trainer, keysOf(options.set)), trials, Random.seeded(seed));
  if (drawn.length === 0)
    throw new UsageError('nothing is left to try: --set fixes every setting that trials vary');
  const whole = await planWhole(request, outside);
  const search = new Search(request, whole, firstRound, outside);
  const tried = await search.run(drawn);
  const best = tried[0]?.settings ?? [];
  return {
    graph: graph.name,
    records: whole.read.records,
    tuned: search.tuned,
    holdout: options.holdout,
    trials: tried,
    best,
    ...(best.length > 0 && { confirmed: await search.confirm(best) }),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Those that came furthest first, and of these the ones of the highest score in their last round. */
function bestFirst({ rounds: a }: Trial, { rounds: b }: Trial): number {
  return b.length - a.length || (b.at(-1)?.score ?? 0) - (a.at(-1)?.score ?? 0);
}

/** Trials on the part of a stream that is for them. */
class Search {
  /** Records that trials may use: the oldest. */
  readonly tuned: number;
  readonly #request: StreamRequest;
  readonly #whole: StreamPlan;
  /** Fewest records of a round. */
  readonly #firstRound: number;
  readonly #outside: EvaluationOutside;

  constructor(request: StreamRequest, whole: StreamPlan, firstRound: number, outside: EvaluationOutside) {
    this.#request = request;
    this.#whole = whole;
    this.#firstRound = firstRound;
    this.#outside = outside;
    this.tuned = Math.floor(whole.read.records * (1 - request.options.holdout));
  }

  /** Runs all rounds. The current settings take part in each, beside those that go on. Gives the best first. */
  async run(drawn: readonly (readonly string[])[]): Promise<Trial[]> {
    const current: Trial = { settings: [], rounds: [] };
    const trials = drawn.map((settings): Trial => ({ settings, rounds: [] }));
    const rounds = roundsFor(drawn.length, this.tuned, this.#firstRound);
    let left = trials;
    for (const [i, { share, keeps }] of rounds.entries()) {
      const plan = await this.#part(share);
      if (i === rounds.length - 1) refuseEmpty(plan, this.#request);
      else if (plan.tasks.length === 0) {
        this.#say(`the newest ${count(plan.read.records)} records are too few to judge by`);
        continue;
      }
      const running = [current, ...left];
      for (const [n, { settings, rounds: tried }] of running.entries()) {
        const name = `round ${i + 1} of ${rounds.length}, ${n + 1} of ${running.length}`;
        const result = await this.#try(plan, settings, name);
        tried.push(result);
        this.#say(
          `${name}: score ${result.score.toFixed(4)} with ${settings.join(' ') || 'the current settings'}`,
        );
      }
      left = left.toSorted(bestFirst).slice(0, keeps);
    }
    return [current, ...trials].toSorted(bestFirst);
  }

  /** Measures settings and the current ones on the whole stream. */
  async confirm(settings: readonly string[]): Promise<Confirmed> {
    const plan = this.#whole;
    const best = await this.#measure(plan, settings, 'best trial, to confirm');
    const current = await this.#measure(plan, [], 'current settings, to confirm');
    const ways = { best: best.lists, current: current.lists };
    const scopes = listFigures(plan, ways, Random.seeded(SEED));
    return {
      best: trialFigures(best.lists, best.ranked, plan.split.scopes),
      current: trialFigures(current.lists, current.ranked, plan.split.scopes),
      lead: Object.fromEntries(scopes.map(({ scope, lead }) => [scope, lead['current']!['recall20']!])),
    };
  }

  /** The newest part of the records for trials. */
  #part(share: number): Promise<StreamPlan> {
    const { read, topicIds } = this.#whole;
    const { current, options } = this.#request;
    const starts = read.before(this.tuned - Math.ceil(this.tuned * share)).stretches;
    const range = read
      .before(this.tuned)
      .stretches.map((stretch, i) => ({ ...stretch, from: starts[i]?.until ?? stretch.from }));
    return planStream(current, { range, topicIds }, options, this.#outside);
  }

  async #try(plan: StreamPlan, settings: readonly string[], name: string): Promise<TriedRound> {
    const started = performance.now();
    const { lists, ranked } = await this.#measure(plan, settings, name);
    const figures = trialFigures(lists, ranked, plan.split.scopes);
    const { records } = plan.read;
    const recordsPerS = Math.round(records / ((performance.now() - started) / 1000));
    return { ...figures, records, score: scoreOf(figures), recordsPerS };
  }

  #say(text: string): void {
    this.#outside.log.info({ graph: this.#request.graph.name }, text);
  }

  async #measure(plan: StreamPlan, settings: readonly string[], name: string): Promise<Measured> {
    const folder = join(this.#outside.folder, 'trial');
    return measureStream(plan, await this.#request.variant(name, settings), { ...this.#outside, folder });
  }
}
