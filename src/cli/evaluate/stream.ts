import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EVENT_FORMATS } from '../../adapters/event-file/event-file.ts';
import { composeEvaluation, loadSpace } from '../../compose/evaluation.ts';
import { topicsOf } from '../../compose/graph-updater.ts';
import { RetryableError, UsageError } from '../../errors/errors.ts';
import { CommonNeighbours } from '../../evaluation/stream/common-neighbours.ts';
import type { EdgeStream } from '../../evaluation/stream/edge-stream.ts';
import { meanQuality, type ScopeFigures, scopeFigures } from '../../evaluation/stream/list-figures.ts';
import { type ListQuality, rankByChance, rankTasks } from '../../evaluation/stream/list-quality.ts';
import {
  meanOf,
  RankedLog,
  type ScoredSets,
  type SliceFigures,
  scoredBy,
  scoredByChance,
  sliceFigures,
  slicesOf,
} from '../../evaluation/stream/ranked-edges.ts';
import { readStream, type StreamRead } from '../../evaluation/stream/read-stream.ts';
import {
  ByVectors,
  modelOf,
  popularity,
  type Recommender,
  recentPopularity,
} from '../../evaluation/stream/recommender.ts';
import { type Split, sampleTasks, splitStream, type Task } from '../../evaluation/stream/split.ts';
import type { EventLog, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { readContent } from '../../pipeline/reading/record-content.ts';
import type { RankedEdges, Triples } from '../../pipeline/training/trainer.ts';
import { ProgressMeter } from '../../replay/progress.ts';
import { resolveRange } from '../../replay/range.ts';
import { Random } from '../../sampling/random.ts';
import type { StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import { count } from '../format.ts';
import { collect, example, JSON_HELP, positiveInteger } from '../options.ts';
import { reportReplay } from '../replay/progress.ts';
import { onSignal, type Signals } from '../signals.ts';
import { openEventLog } from './event-log.ts';
import { printStreamReport, type StreamReport } from './stream-report.ts';
import { readStreamRequest, type StreamOptions, type StreamRequest, type Variant } from './stream-request.ts';
import { inTemporaryFolder } from './temporary.ts';

/** Seed of candidates, samples and intervals: the same stream gives the same figures each time. */
const SEED = 1;
/** Candidates of each set in the prequential protocol. */
const CANDIDATES = 1_000;
/** The first edges are learned and not ranked: a model that has seen nothing is not what is measured. */
const WARM_UP = 0.2;
/** Recent popularity halves with this share of the edges. */
const HALF_LIFE = 0.02;
const USERS = 5_000;
const HOLDOUT = '15%';

/** Puts `twhin evaluate stream` on the command line. */
export function addEvaluateStreamCommand(evaluate: Command, context: CommandContext): void {
  evaluate
    .command('stream')
    .description('how well the vectors foretell the next events of a stream, beside simple rules')
    .option('--graph <name>', 'the graph whose topics are read')
    .option('--from <start>', 'start: earliest, offsets, a time, or a time before now', 'earliest')
    .option('--until <end>', 'end: latest, offsets, a time, or a time before now', 'latest')
    .option('--file <path>', 'read the events of this file, plain or gzip, instead of the topics')
    .addOption(new Option('--format <format>', 'format of the file').choices(EVENT_FORMATS))
    .option('--topic <name>', "topic of the file's events; if not given, the first topic of the graph")
    .option(
      '--holdout <share>',
      'share of the events, the newest, to be foretold by full ranking',
      share,
      share(HOLDOUT),
    )
    .option('--users <n>', 'rank for at most this many users, drawn at random', positiveInteger, USERS)
    .option('--seeds <n>', 'train with this many seeds, and give the mean', positiveInteger, 1)
    .option('--set <key=value>', 'a setting that overrides the configuration; may be repeated', collect, [])
    .option('--no-paper', "do not train the paper's preset beside it")
    .option('--json', JSON_HELP)
    .addHelpText('after', WHAT)
    .addHelpText('after', example(EXAMPLES))
    .action(async (options: StreamOptions) => {
      await evaluateStream(await readStreamRequest(options, context), context);
    });
}

const WHAT = `
Two protocols, on a temporary store that is removed at the end:
  prequential   each new edge is ranked before it is learned, once the first 20 % of the edges are learned: among
                ${CANDIDATES} entities of its type drawn uniformly, and among ${CANDIDATES} drawn in proportion to their edges
  time-split    the newest events are held back; for each user with a new target in them, all entities of the type are
                ranked, without those that the user had before
Values of --from and --until are those of twhin replay.`;

const EXAMPLES = `twhin evaluate stream --graph engagement --from 30d
twhin evaluate stream --graph engagement --file events.ndjson.gz --set dim=64 --json
twhin evaluate stream --graph follow --holdout 10% --seeds 3 --no-paper`;

/** A share such as 15% or 0.15, above 0 and below 1. */
function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('expected a share such as 15%');
  return value;
}

async function evaluateStream(request: StreamRequest, context: CommandContext): Promise<void> {
  const signals = onSignal();
  try {
    await inTemporaryFolder(async (folder) => {
      const connection = await openEventLog(request, folder, context, signals.stopping);
      try {
        const eventLog = connection.log();
        try {
          const evaluation = new StreamEvaluation(request, { eventLog, folder, signals, context });
          const report = await evaluation.run();
          context.output.statusDone();
          if (request.options.json === true) context.output.out(JSON.stringify(report));
          else printStreamReport(report, context.output);
        } finally {
          await eventLog.close();
        }
      } finally {
        await connection.close();
      }
    });
  } finally {
    signals.ignore();
  }
}

interface Outside {
  readonly eventLog: EventLog;
  readonly folder: string;
  readonly signals: Signals;
  readonly context: CommandContext;
}

/** The stream as read, the split, and what to rank. */
interface Plan {
  readonly range: readonly Stretch[];
  readonly known: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  readonly read: StreamRead;
  readonly split: Split;
  readonly tasks: readonly Task[];
  readonly halfLife: number;
}

/** What a trained model gave. */
interface Measured {
  readonly lists: ReadonlyMap<string, ListQuality>;
  readonly ranked: RankedEdges;
}

/** One evaluation of a stream: read once, trained once for each seed and preset, then figures. */
class StreamEvaluation {
  readonly #request: StreamRequest;
  readonly #outside: Outside;

  constructor(request: StreamRequest, outside: Outside) {
    this.#request = request;
    this.#outside = outside;
  }

  async run(): Promise<StreamReport> {
    const started = performance.now();
    const { own, paper, options, graph } = this.#request;
    const plan = await this.#plan();
    const measured: Measured[] = [];
    for (const variant of own) measured.push(await this.#measure(plan, variant));
    const ofPaper = paper && (await this.#measure(plan, paper));
    const lists = await this.#lists(plan, measured, ofPaper);
    const prequential = this.#prequential(measured, ofPaper);
    const { stream, records, rejected } = plan.read;
    return {
      graph: graph.name,
      seeds: options.seeds,
      records,
      rejected: Object.fromEntries(rejected),
      edges: stream.learned,
      entities: stream.entities.length,
      holdout: options.holdout,
      candidates: CANDIDATES,
      halfLife: plan.halfLife,
      users: new Set(plan.tasks.map(({ lhs }) => lhs)).size,
      usersInAll: new Set(plan.split.tasks.map(({ lhs }) => lhs)).size,
      prequential,
      lists,
      seconds: (performance.now() - started) / 1000,
    };
  }

  async #plan(): Promise<Plan> {
    const { config, graph, topics, from, until, options } = this.#request;
    const { eventLog, context } = this.#outside;
    this.#checkInterrupted();
    const { stretches: range } = await resolveRange(eventLog, topics, from, until);
    const topicIds = await eventLog.topicIds(topics);
    const byName = topicsOf(config, graph);
    const content = (record: SourceRecord) => ({
      ...record,
      content: readContent(record, byName, config.limits),
    });
    const read = await readStream(eventLog, range, graph.model.relations, content, (records) =>
      this.#turn(`${count(records)} records read`),
    );
    const { stream, records } = read;
    const { stretches: known, events } = read.before(Math.floor(records * (1 - options.holdout)));
    const split = splitStream(stream, events);
    if (split.tasks.length === 0) {
      throw new UsageError(
        'evaluate-empty',
        `nothing can be foretold: of ${count(records)} records of ${graph.name}, ${count(stream.length)} change an edge, and in the ` +
          `last ${Math.round(100 * options.holdout)} % no known user has a new edge to a known entity`,
      );
    }
    const random = Random.seeded(SEED);
    const tasks = sampleTasks(split.tasks, options.users, (n) => random.below(n));
    context.log().info(
      {
        graph: graph.name,
        records,
        edges: stream.learned,
        entities: stream.entities.length,
        tasks: tasks.length,
      },
      'the stream is read',
    );
    const halfLife = Math.max(1, Math.round(HALF_LIFE * stream.learned));
    return { range, known, topicIds, read, split, tasks, halfLife };
  }

  /** Trains up to the cut and ranks the lists; then goes on to the end of the stream, ranking all the way. */
  async #measure(plan: Plan, variant: Variant): Promise<Measured> {
    const { folder } = this.#outside;
    const { stream } = plan.read;
    const place = { graph: variant.graph.name, name: 'evaluation', folder: join(folder, 'store') };
    const ranked = new RankedLog();
    const none: Triples = { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() };
    await this.#train(plan, variant, place, { range: plan.known, before: none, ranked });
    const model = modelOf(await loadSpace(variant.graph, place), stream);
    const lists = await this.#rank(plan.tasks, new ByVectors(model, plan.split), variant.name);
    const before = learnedAs(model.rows, stream, plan.split.cut);
    await this.#train(plan, variant, place, { range: plan.range, before, ranked });
    await rm(place.folder, { recursive: true });
    return { lists, ranked: ranked.whole() };
  }

  async #train(
    plan: Plan,
    { config, graph, name }: Variant,
    place: StorePlace,
    { range, before, ranked }: { range: readonly Stretch[]; before: Triples; ranked: RankedLog },
  ): Promise<void> {
    const { eventLog, signals, context } = this.#outside;
    const from = Math.floor(WARM_UP * plan.read.stream.learned);
    const { updater, merged } = await composeEvaluation(config, graph, {
      log: context.log(),
      place,
      eventLog,
      range,
      topicIds: plan.topicIds,
      prequential: { seed: SEED, from, candidates: CANDIDATES, halfLife: plan.halfLife, before },
      onRanked: (edges) => ranked.add(edges),
    });
    const abandon = () => void updater.abandon();
    signals.stopping.addEventListener('abort', abandon);
    if (signals.interrupted()) abandon();
    const meter = new ProgressMeter(range, (stretch) => merged.reached(stretch), Date.now);
    const fields = { graph: graph.name, model: name };
    const reporting = reportReplay(meter, () => updater.progress().phase, fields, {
      log: context.log(),
      output: context.output,
    });
    try {
      await updater.run({ untilCaughtUp: true });
    } finally {
      reporting.stop();
      signals.stopping.removeEventListener('abort', abandon);
    }
    this.#checkInterrupted();
  }

  #rank(tasks: readonly Task[], by: Recommender, name: string): Promise<Map<string, ListQuality>> {
    return rankTasks(tasks, by, (ranked) =>
      this.#turn(`${name}: ${count(ranked.tasks)} of ${count(ranked.of)} lists ranked`),
    );
  }

  async #lists(plan: Plan, own: readonly Measured[], paper: Measured | undefined): Promise<ScopeFigures[]> {
    const { split, tasks, halfLife } = plan;
    const random = Random.seeded(SEED);
    const byName = {
      popularity: await this.#rank(tasks, popularity(split), 'popularity'),
      'recent popularity': await this.#rank(tasks, recentPopularity(split, halfLife), 'recent popularity'),
      'common neighbours': await this.#rank(tasks, new CommonNeighbours(split, random), 'common neighbours'),
      chance: rankByChance(tasks),
      ...(paper && { 'preset twhin': paper.lists }),
    };
    const scopes = split.scopes.filter(({ name }) => own[0]?.lists.has(name));
    return scopes.map(({ name, pair }) => {
      const vectors = meanQuality(own.flatMap(({ lists }) => lists.get(name) ?? []));
      const others = Object.entries(byName).flatMap(([way, lists]) => {
        const quality = lists.get(name);
        return quality === undefined ? [] : [[way, quality] as const];
      });
      const ways = { vectors, ...Object.fromEntries(others) };
      return scopeFigures({ scope: name, candidates: pair.candidates.length }, ways, random);
    });
  }

  #prequential(own: readonly Measured[], paper: Measured | undefined): SliceFigures[] {
    const [first] = own;
    if (first === undefined) return [];
    const edges = first.ranked;
    const ways: Record<string, ScoredSets> = {
      vectors: meanOf(own.map(({ ranked }) => scoredBy(ranked, 'vectors'))),
      popularity: scoredBy(edges, 'popularity'),
      'recent popularity': scoredBy(edges, 'recent'),
      chance: scoredByChance(edges),
      ...(paper && { 'preset twhin': scoredBy(paper.ranked, 'vectors') }),
    };
    const random = Random.seeded(SEED);
    const relations = this.#request.graph.model.relations.map(({ name }) => name);
    return slicesOf(relations).flatMap((slice) => sliceFigures(edges, slice, ways, random) ?? []);
  }

  async #turn(status: string): Promise<void> {
    this.#outside.context.output.status(`${this.#request.graph.name}: ${status}`);
    await breathe();
    this.#checkInterrupted();
  }

  #checkInterrupted(): void {
    if (!this.#outside.signals.interrupted()) return;
    throw new RetryableError(
      'evaluation-interrupted',
      'the evaluation was interrupted; its temporary store is removed, and nothing else was written',
    );
  }
}

/** The edges learned before an event, as rows of the store. */
function learnedAs(rows: Int32Array, stream: EdgeStream, until: number): Triples {
  const events: number[] = [];
  for (let event = 0; event < until; event++) {
    const known = rows[stream.lhs(event)]! >= 0 && rows[stream.rhs(event)]! >= 0;
    if (known && !stream.removes(event)) events.push(event);
  }
  return {
    lhs: Int32Array.from(events, (event) => rows[stream.lhs(event)]!),
    relation: Int32Array.from(events, (event) => stream.relation(event)),
    rhs: Int32Array.from(events, (event) => rows[stream.rhs(event)]!),
  };
}
