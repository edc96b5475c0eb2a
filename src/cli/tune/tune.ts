import { join } from 'node:path';
import {
  type EvaluationOutside,
  listFigures,
  measureStream,
  planStream,
  SEED,
  type StreamPlan,
} from '../../compose/evaluation.ts';
import { keysOf } from '../../config/overrides.ts';
import { UsageError } from '../../errors/errors.ts';
import {
  dimensionsOf,
  drawTrials,
  roundsFor,
  scoreOf,
  type TrialFigures,
  trialFigures,
} from '../../evaluation/tune.ts';
import { Random } from '../../sampling/random.ts';
import { planWhole, refuseEmpty } from '../evaluate/measure.ts';
import type { StreamRequest } from '../evaluate/request.ts';
import { count } from '../format.ts';

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

/** The object that `--json` prints. */
export type TuneReport = Awaited<ReturnType<typeof tune>>;
export type Confirmed = Awaited<ReturnType<typeof confirm>>;

/** Searches by random trials and successive halving, and measures the best on what no trial has seen. */
export async function tune(
  request: StreamRequest,
  { trials, seed, firstRound }: { trials: number; seed: number; firstRound: number },
  outside: EvaluationOutside,
) {
  const started = performance.now();
  const { graph, options } = request;
  const drawn = drawTrials(dimensionsOf(graph.trainer, keysOf(options.set)), trials, Random.seeded(seed));
  if (drawn.length === 0)
    throw new UsageError('nothing is left to try: --set fixes every setting that trials vary');
  const whole = await planWhole(request, outside);
  const { records } = whole.read;
  const search: Search = { request, whole, tuned: Math.floor(records * (1 - options.holdout)), outside };
  const tried = await runRounds(search, drawn, firstRound);
  const best = tried[0]?.settings ?? [];
  return {
    graph: graph.name,
    records,
    /** Records that the trials could use. */
    tuned: search.tuned,
    holdout: options.holdout,
    /** The best first. The current settings are among them. */
    trials: tried,
    /** None where the current settings were not beaten. */
    best,
    ...(best.length > 0 && { confirmed: await confirm(search, best) }),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Trials on the part of a stream that is for them. */
interface Search {
  readonly request: StreamRequest;
  readonly whole: StreamPlan;
  /** Records that trials may use: the oldest. */
  readonly tuned: number;
  readonly outside: EvaluationOutside;
}

/** Runs all rounds, the first of at least `firstRound` records; the current settings take part in each. Gives the best first. */
async function runRounds(
  search: Search,
  drawn: readonly (readonly string[])[],
  firstRound: number,
): Promise<Trial[]> {
  const { request, tuned, outside } = search;
  const say = (text: string) => outside.log.info({ graph: request.graph.name }, text);
  const current: Trial = { settings: [], rounds: [] };
  const trials = drawn.map((settings): Trial => ({ settings, rounds: [] }));
  const rounds = roundsFor(drawn.length, tuned, firstRound);
  let left = trials;
  for (const [i, { share, keeps }] of rounds.entries()) {
    const plan = await partOf(search, share);
    if (i === rounds.length - 1) refuseEmpty(plan, request);
    else if (plan.tasks.length === 0) {
      say(`the newest ${count(plan.read.records)} records are too few to judge by`);
      continue;
    }
    const running = [current, ...left];
    for (const [n, { settings, rounds: tried }] of running.entries()) {
      const name = `round ${i + 1} of ${rounds.length}, ${n + 1} of ${running.length}`;
      const started = performance.now();
      const { records } = plan.read;
      const { figures } = await measured(search, plan, settings, name);
      const recordsPerS = Math.round(records / ((performance.now() - started) / 1000));
      const score = scoreOf(figures);
      tried.push({ ...figures, records, score, recordsPerS });
      say(`${name}: score ${score.toFixed(4)} with ${settings.join(' ') || 'the current settings'}`);
    }
    left = left.toSorted(bestFirst).slice(0, keeps);
  }
  return [current, ...trials].toSorted(bestFirst);
}

/** Trials that came further come first; of equally far ones, the trial with the higher score in its last round. */
function bestFirst({ rounds: a }: Trial, { rounds: b }: Trial): number {
  return b.length - a.length || (b.at(-1)?.score ?? 0) - (a.at(-1)?.score ?? 0);
}

/** Measures settings and the current ones on the whole stream, of which only the held-back part is unseen by trials. */
async function confirm(search: Search, settings: readonly string[]) {
  const { whole } = search;
  const best = await measured(search, whole, settings, 'best trial, to confirm');
  const current = await measured(search, whole, [], 'current settings, to confirm');
  const scopes = listFigures(whole, { best: best.lists, current: current.lists }, Random.seeded(SEED));
  return {
    best: best.figures,
    current: current.figures,
    /** The best minus the current, recall@20 by scope; 95 % intervals by user. */
    lead: Object.fromEntries(scopes.map(({ scope, lead }) => [scope, lead['current']!['recall20']!])),
  };
}

/** The newest part of the records for trials. */
function partOf({ request, whole, tuned, outside }: Search, share: number): Promise<StreamPlan> {
  const { read, topicIds } = whole;
  const starts = read.before(tuned - Math.ceil(tuned * share)).stretches;
  const range = read
    .before(tuned)
    .stretches.map((stretch, i) => ({ ...stretch, from: starts[i]?.until ?? stretch.from }));
  return planStream(request.current, { range, topicIds }, request.options, outside);
}

/** What settings over the current ones give on a plan. */
async function measured(
  { request, outside }: Search,
  plan: StreamPlan,
  settings: readonly string[],
  name: string,
) {
  const folder = join(outside.folder, 'trial');
  const variant = await request.variant(name, settings);
  const { lists, ranked } = await measureStream(plan, variant, { ...outside, folder });
  return { lists, figures: trialFigures(lists, ranked, plan.split.scopes) };
}
