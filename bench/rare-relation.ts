/**
 * Whether a rare relation gains from the others: one model of all relations of `engagement` beside one of the rare relation
 * alone, both trained on what came before, and asked for the new edges of the relation in the newest 15 %.
 * `npx node bench/rare-relation.ts --higgs FILE --relation replies` or `--world EVENTS --relation clicks`; `--seeds N`.
 *
 * Both ends of an edge were seen in the relation before. All entities seen in it are ranked, and 1,000 candidates drawn uniformly
 * and 1,000 in proportion to their edges of the relation: the same questions and candidates for both models. Known edges are
 * left out. Intervals are of users. Recall is that of the lists of `twhin serve`: what the user had is left out, and of ads at most
 * two are of one advertiser. The lift is the joint model's figure over that of the relation alone.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '../src/adapters/connect.ts';
import { EvaluationProgress } from '../src/cli/evaluate/progress.ts';
import { planStream, SEED, type StreamPlan } from '../src/cli/evaluate/stream-plan.ts';
import { readStreamRequest, type StreamRequest } from '../src/cli/evaluate/stream-request.ts';
import { terminal } from '../src/cli/output.ts';
import { composeEvaluation, loadSpace } from '../src/compose/evaluation.ts';
import { loadConfig } from '../src/config/load.ts';
import { bootstrap, type Interval } from '../src/evaluation/bootstrap.ts';
import type { EdgeStream } from '../src/evaluation/stream/edge-stream.ts';
import { ByVectors, modelOf, popularity, type Recommender } from '../src/evaluation/stream/recommender.ts';
import type { Pair, Task } from '../src/evaluation/stream/split.ts';
import type { EntityKey } from '../src/graph/entity.ts';
import { silentLog } from '../src/log.ts';
import type { EventLog } from '../src/pipeline/ports.ts';
import { Random } from '../src/sampling/random.ts';
import { measured } from './child.ts';
import { type Contents, fill } from './e2e/fill.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const JOINT = 'engagement';
const ALONE = 'alone';
const CANDIDATES = 1_000;
const WAYS = ['joint', 'alone', 'popularity'] as const;
/** Lengths of the lists. */
const RECALL_AT = [10, 20, 50] as const;
/** Figures of an edge: its reciprocal rank among both sets, and whether it is in the list of each length. */
const FIGURES = ['MRR, uniform', 'MRR, by degree', ...RECALL_AT.map((k) => `recall@${k} as served`)];
/** Leads from an advertiser to its ads; a list has at most so many of one. */
const PROMOTES = 'promotes';
const ADS_OF_ONE = 2;

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    world: { type: 'string' },
    relation: { type: 'string' },
    seeds: { type: 'string', default: '1' },
  },
});
const { higgs, world, relation } = values;
if ((higgs === undefined) === (world === undefined) || relation === undefined)
  throw new Error('expected --higgs FILE or --world EVENTS, and --relation NAME');
const contents: Contents = higgs === undefined ? { world: world ?? '', good: true } : { higgs };

const folder = await mkdtemp(join(tmpdir(), 'twhin-rare-'));
async function compare(rare: string): Promise<void> {
  const env = {
    ...process.env,
    KAFKA_BROKERS: `file:${join(folder, 'log')}`,
    TWHIN_STATE: join(folder, 'state'),
  };
  const topics = ['engagement', 'ad-click', 'search', 'erasure'];
  const config = { graphs: { [ALONE]: { topics, relations: [rare] } } };
  await writeFile(join(folder, 'twhin.config.ts'), `export default ${JSON.stringify(config)};\n`);
  await measured([COMMAND, 'topics', 'apply'], { ...env, TWHIN_CONFIG: join(folder, 'twhin.config.ts') });
  await fill(contents, { address: env.KAFKA_BROKERS, command: COMMAND, work: folder });
  const load = (set: readonly string[] = []) => loadConfig(env, folder, set);
  const connection = await connect((await load()).kafka);
  const eventLog = connection.log();
  try {
    const context = { log: () => silentLog, output: terminal };
    const { signal: stopping } = new AbortController();
    const progress = new EvaluationProgress(rare, { ...context, stopping });
    const options = {
      from: 'earliest',
      until: 'latest',
      holdout: 0.15,
      users: Number.MAX_SAFE_INTEGER,
      seeds: Number(values.seeds),
    };
    const request = (graph: string) =>
      readStreamRequest({ ...options, graph, set: [], paper: false }, { config: load });
    const [joint, alone] = [await request(JOINT), await request(ALONE)];
    const plan = await planStream(alone, eventLog, progress);
    const questions = new Questions(plan, await sourcesOf(joint, { plan, eventLog, progress }));
    const sums: Sums = new Map();
    for (let seed = 0; seed < options.seeds; seed++) {
      for (const [way, asked] of [
        ['joint', joint],
        ['alone', alone],
      ] as const) {
        const by = await trained(asked, seed, { plan, eventLog, progress });
        questions.ask(way, by, sums);
      }
    }
    questions.ask('popularity', popularity(plan.split), sums);
    print(rare, plan, questions, sums);
  } finally {
    await eventLog.close();
    await connection.close();
  }
}

/** Trains a graph on what came before the cut of the plan, in a store of its own. */
async function trained(
  request: StreamRequest,
  seed: number,
  { plan, eventLog, progress }: { plan: StreamPlan; eventLog: EventLog; progress: EvaluationProgress },
): Promise<Recommender> {
  const variant = request.own[seed]!;
  const place = {
    graph: variant.graph.name,
    name: 'rare',
    folder: join(folder, `store-${variant.graph.name}-${seed}`),
  };
  await mkdir(place.folder, { recursive: true });
  const none = { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() };
  const replaying = await composeEvaluation(variant.config, variant.graph, {
    log: silentLog,
    place,
    eventLog,
    range: plan.known,
    topicIds: plan.topicIds,
    // Nothing is ranked while it is trained.
    prequential: {
      seed: SEED,
      from: Number.MAX_SAFE_INTEGER,
      candidates: 1,
      halfLife: plan.halfLife,
      before: none,
    },
    onRanked: () => undefined,
  });
  await progress.train(replaying, plan.known, {});
  const model = modelOf(await loadSpace(variant.graph, place), plan.read.stream);
  await rm(place.folder, { recursive: true });
  return new ByVectors(model, plan.split);
}

/** The advertiser of each ad; entities of other types have none. */
async function sourcesOf(
  request: StreamRequest,
  { plan, eventLog, progress }: { plan: StreamPlan; eventLog: EventLog; progress: EvaluationProgress },
): Promise<ReadonlyMap<EntityKey, EntityKey>> {
  if (plan.split.scopes[0]?.pair.rhsType !== 'ad') return new Map();
  const { stream } = (await planStream(request, eventLog, progress)).read;
  const promotes = stream.relations.findIndex(({ name }) => name === PROMOTES);
  const sources = new Map<EntityKey, EntityKey>();
  for (let event = 0; event < stream.length; event++) {
    if (stream.relation(event) !== promotes) continue;
    sources.set(stream.entities[stream.rhs(event)]!, stream.entities[stream.lhs(event)]!);
  }
  return sources;
}

/** By way of ranking and figure: [edges] the sum over seeds. */
type Sums = Map<string, Float64Array[]>;

/** The new edges of the relation, and the candidates that each is ranked among. */
class Questions {
  readonly tasks: readonly Task[];
  readonly edges: number;
  readonly #draws: readonly { readonly uniform: Int32Array; readonly degree: Int32Array }[];
  readonly #stream: EdgeStream;
  readonly #sources: ReadonlyMap<EntityKey, EntityKey>;

  constructor({ split, read }: StreamPlan, sources: ReadonlyMap<EntityKey, EntityKey>) {
    this.#stream = read.stream;
    this.#sources = sources;
    this.tasks = split.tasks;
    this.edges = split.tasks.reduce((sum, { targets }) => sum + targets.length, 0);
    const random = Random.seeded(SEED);
    this.#draws = split.tasks.map(({ scope: { pair } }) => {
      const { item } = pair.live;
      return {
        uniform: Int32Array.from({ length: CANDIDATES }, () => random.below(pair.candidates.length)),
        degree: Int32Array.from({ length: CANDIDATES }, () => item[random.below(item.length)]!),
      };
    });
  }

  /** Adds the figures of each edge. */
  ask(way: (typeof WAYS)[number], by: Recommender, sums: Sums): void {
    const own = sums.get(way) ?? FIGURES.map(() => new Float64Array(this.edges));
    sums.set(way, own);
    let edge = 0;
    this.tasks.forEach(({ lhs, scope, targets, seen }, task) => {
      const scores = new Float64Array(scope.pair.candidates.length);
      by.score([lhs], scope, scores);
      // A target of the user is no wrong answer, and neither is what the user had.
      const right = new Set([...seen, ...targets]);
      const { uniform, degree } = this.#draws[task]!;
      const among = (drawn: Int32Array, target: number) =>
        1 /
        rankAmong(
          scores,
          target,
          drawn.filter((item) => !right.has(item)),
        );
      const ofUser = Array.from(targets, (target) => [among(uniform, target), among(degree, target)]);
      const list = this.#list(scores, scope.pair, seen);
      const placeOf = new Map(list.map((item, place) => [item, place]));
      ofUser.forEach((reciprocals, i) => {
        const place = placeOf.get(targets[i]!) ?? list.length;
        [...reciprocals, ...RECALL_AT.map((k) => (place < k ? 1 : 0))].forEach((value, figure) => {
          own[figure]![edge]! += value;
        });
        edge++;
      });
    });
  }

  /** The longest list, as it is served: without what the user had, and with so many ads of one advertiser. */
  #list(scores: Float64Array, { candidates }: Pair, seen: readonly number[]): number[] {
    const had = new Set(seen);
    const order = [...candidates.keys()].filter((item) => !had.has(item));
    order.sort((a, b) => scores[b]! - scores[a]!);
    const taken = new Map<EntityKey, number>();
    return order
      .filter((item) => {
        const source = this.#sources.get(this.#stream.entities[candidates[item]!]!);
        if (source === undefined) return true;
        const count = (taken.get(source) ?? 0) + 1;
        taken.set(source, count);
        return count <= ADS_OF_ONE;
      })
      .slice(0, Math.max(...RECALL_AT));
  }

  /** [users] sums over the edges of each user. */
  byUser(values_: Float64Array): Float64Array {
    let edge = 0;
    return Float64Array.from(this.tasks, ({ targets }) => {
      let sum = 0;
      for (let i = 0; i < targets.length; i++) sum += values_[edge++]!;
      return sum;
    });
  }
}

/** A tie counts half. */
function rankAmong(scores: Float64Array, target: number, others: Int32Array): number {
  const wanted = scores[target]!;
  let rank = 1;
  for (const item of others) {
    if (scores[item]! > wanted) rank++;
    else if (scores[item] === wanted) rank += 0.5;
  }
  return rank;
}

function print(rare: string, { read, split }: StreamPlan, questions: Questions, sums: Sums): void {
  const seeds = Number(values.seeds);
  const counts = Float64Array.from(questions.tasks, ({ targets }) => targets.length);
  const mean = (way: (typeof WAYS)[number], figure: number): Float64Array => {
    const over = way === 'popularity' ? 1 : seeds;
    return questions.byUser(sums.get(way)![figure]!).map((sum) => sum / over);
  };
  const rows = FIGURES.flatMap((_, figure) => {
    const [joint, alone] = [mean('joint', figure), mean('alone', figure)];
    return [joint, alone, mean('popularity', figure), joint.map((sum, i) => sum - alone[i]!)];
  });
  const intervals = bootstrap({ counts, sums: rows }, Random.seeded(SEED));
  // A ratio of means over the same users is a mean that counts what the relation alone finds.
  const lifts = FIGURES.map((_, figure) => {
    const [joint, alone] = [mean('joint', figure), mean('alone', figure)];
    return bootstrap({ counts: alone, sums: [joint] }, Random.seeded(SEED))[0]!;
  });
  const shown = ({ mean: middle, low, high }: Interval, digits = 3) =>
    `${middle.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;
  const asked = process.argv.slice(2).map((each) => (each === higgs ? basename(each) : each));
  console.log(`    npx node bench/rare-relation.ts ${asked.join(' ')}\n`);
  console.log(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, Node ${process.version}; ${seeds === 1 ? 'one seed' : `mean of ${seeds} seeds`}. ` +
      `${read.stream.learned} edges of \`${rare}\` in all; ${questions.edges} new ones of ${questions.tasks.length} users are asked for, among ${split.scopes[0]?.pair.candidates.length} entities.\n`,
  );
  console.log('| | joint | alone | popularity | joint minus alone | lift |\n|---|---:|---:|---:|---:|---:|');
  FIGURES.forEach((name, figure) => {
    const own = [0, 1, 2, 3].map((column) => shown(intervals[4 * figure + column]!));
    console.log(`| ${name} | ${[...own, shown(lifts[figure]!, 2)].join(' | ')} |`);
  });
}

try {
  await compare(relation);
} finally {
  await rm(folder, { recursive: true, force: true });
}
