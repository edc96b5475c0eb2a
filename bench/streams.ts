import { join } from 'node:path';
import { connect } from '../src/adapters/connect.ts';
import {
  edgeFigures,
  type Lists,
  listFigures,
  measureStream,
  planStream,
  SEED,
  type StreamPlan,
  simpleRules,
  type Variant,
} from '../src/compose/evaluation.ts';
import type { ReplayOptions } from '../src/compose/replay.ts';
import { loadConfig } from '../src/config/load.ts';
import { type Config, type GraphConfig, shardsOf, wholeGraphs } from '../src/config/resolve.ts';
import { reasonOf, UsageError } from '../src/errors/errors.ts';
import type { Interval } from '../src/evaluation/bootstrap.ts';
import { LIST_FIGURES, rankTasks } from '../src/evaluation/stream/lists.ts';
import { byVectors } from '../src/evaluation/stream/recommender.ts';
import type { EdgeRows } from '../src/graph/edge.ts';
import { silentLog } from '../src/log.ts';
import type { RankedEdges } from '../src/pipeline/training/trainer.ts';
import { Random } from '../src/sampling/random.ts';
import { fullName, readEvent } from '../topics/index.ts';
import { eventsOf, feed, type TopicEvent } from './events.ts';
import { defineBench, type Here } from './harness.ts';
import { progressOn, trainedSpace } from './in-process.ts';
import { COMMIT_EDGES, MANY_PASSES } from './kg/training.ts';
import { TripleLog } from './kg/triple-log.ts';
import { linesOf } from './lines.ts';

const FULL = {
  ...{ higgs: '', events: 563_069, folder: '', graph: 'engagement', holdout: 0.15 },
  ...{ users: 5_000, seeds: 1, paper: false, passes: 0, shards: 1 },
};
const UNIFORM = 'MRR, uniform candidates';
const DEGREE = 'MRR, candidates by edges';
const LEAD = 'vectors ahead at recall20';

/**
 * How well vectors predict the next events of a stream, beside simple rules and the paper's preset: the two protocols of `twhin
 * evaluate`, with several seeds. Reads the Higgs file, the demo's world, or with --folder the events.ndjson and the twhin.config.ts
 * that bench/streams/prepare.py wrote there. An interval, from the least to the most, is that of 95 % of users. --passes: one more model, trained with so many passes over the edges before the cut; --shards: the
 * lists of a graph that is cut; its edges are not ranked before they are learned.
 */
export const streams = defineBench({
  name: 'streams',
  what: 'how well vectors predict the next events of a stream, beside simple rules',
  docs: 'quality.md#event-streams',
  measures: ['src/kernels', 'src/model', 'src/sampling', 'src/pipeline/training', 'src/evaluation'],
  sizes: { full: FULL, smoke: { ...FULL, events: 1_500, users: 100, passes: 2 } },
  without: ['rounds'],
  columns: [...LIST_FIGURES, 'coverage', LEAD, 'edges', UNIFORM, DEGREE],
  async measure(here) {
    const { seeds, shards, passes } = here.size;
    await using stream = await openStream(here, here.size);
    const { plan, outside, variant } = stream;
    const runs: Lists[] = [];
    const ways: Record<string, Lists> = {};
    const plain = await variant('vectors', []);
    let ranked: RankedEdges | undefined;
    for (let seed = 0; seed < seeds; seed++) {
      here.say(`seed ${seed + 1} of ${seeds}`);
      const own = await variant('vectors', [`training.seed=${plain.graph.trainer.seed + seed}`]);
      if (shards === 1) {
        const measured = await measureStream(plan, own, outside);
        ranked ??= measured.ranked;
        runs.push(measured.lists);
      } else {
        const state = join(outside.folder, 'shards');
        const read = { ...plan, eventLog: outside.eventLog, range: plan.known };
        runs.push(
          await trainedLists(plan, { ...own.config, state }, shardsOf(own.graph, shards, state), read),
        );
      }
    }
    const vectors = meanLists(runs);
    if (passes > 0) ways[`${passes} passes`] = await manyPasses(plan, variant, passes, outside.folder);
    const paper = here.size.paper ? await variant('preset twhin', ['preset=twhin']) : undefined;
    if (paper) ways[paper.name] = (await measureStream(plan, paper, outside)).lists;
    const random = Random.seeded(SEED);
    const rules = await simpleRules(plan, random, outside.progress);
    const all = { vectors, ...ways, ...rules };
    for (const { scope, ways: of, lead } of listFigures(plan, all, random)) {
      for (const [way, { figures, coverage }] of Object.entries(of)) {
        const row = `${scope}: ${way}`;
        for (const name of LIST_FIGURES) recordInterval(here, row, name, figures[name]);
        recordInterval(here, row, LEAD, lead[way]?.['recall20']);
        here.record(row, { coverage });
      }
    }
    for (const { slice, edges, figures } of ranked ? edgeFigures(plain.graph, ranked) : []) {
      for (const way of Object.keys(figures.uniform)) {
        const row = `before learning, ${slice}: ${way}`;
        here.record(row, { edges });
        recordInterval(here, row, UNIFORM, figures.uniform[way]?.mrr);
        recordInterval(here, row, DEGREE, figures.degree[way]?.mrr);
      }
    }
  },
});

/** The median of mean and bounds is the mean. */
function recordInterval(
  here: Pick<Here, 'record'>,
  row: string,
  column: string,
  interval: Interval | undefined,
): void {
  if (interval !== undefined)
    for (const value of Object.values(interval)) here.record(row, { [column]: value });
}

/**
 * Reads a stream into an embedded log of one partition for each topic, so that its order stays, and splits it. Gives its graph with
 * other settings too.
 */
async function openStream(
  here: Pick<Here, 'say' | 'folder' | 'set'>,
  asked: (typeof streams)['sizes']['full'],
) {
  if (asked.holdout <= 0 || asked.holdout >= 1)
    throw new UsageError(`--holdout: expected a share between 0 and 1; seen ${asked.holdout}`);
  const folder = await here.folder();
  const address = `file:${join(folder, 'log')}`;
  const load = (settings: readonly string[]) =>
    loadConfig({ KAFKA_BROKERS: address, TWHIN_STATE: join(folder, 'state') }, asked.folder || folder, [
      ...here.set,
      ...settings,
    ]);
  const variant = async (name: string, settings: readonly string[]): Promise<Variant> => {
    const config = await load(settings);
    const graph = wholeGraphs(config.graphs).find((each) => each.name === asked.graph);
    if (graph === undefined)
      throw new UsageError(
        `--graph: expected one of ${wholeGraphs(config.graphs)
          .map((each) => each.name)
          .join(', ')}; seen ${asked.graph}`,
      );
    return { name, config, graph };
  };
  const current = await variant('vectors', []);
  const topics = current.graph.topics.map((topic) => fullName(current.config.topicPrefix, topic));
  const opened = new AsyncDisposableStack();
  const connection = opened.adopt(await connect(current.config.kafka), (each) => each.close());
  await connection.admin().create(topics.map((name) => ({ name, partitions: 1, configs: {} })));
  const events = asked.folder === '' ? eventsOf(asked) : preparedEvents(asked.folder, current.graph);
  await feed(address, current.config.topicPrefix, current.graph, events);
  const eventLog = opened.adopt(connection.log(), (each) => each.close());
  const range = (await eventLog.ranges(topics)).map(({ low, high, ...partition }) => ({
    ...partition,
    from: low,
    until: high,
  }));
  const outside = { log: silentLog, eventLog, folder, progress: progressOn(here.say) };
  const plan = await planStream(
    current,
    { range, topicIds: await eventLog.topicIds(topics) },
    asked,
    outside,
  );
  here.say(
    `${plan.read.records} records, ${plan.read.stream.learned} edges, ${plan.read.stream.entities.length} entities, ${plan.tasks.length} tasks`,
  );
  return { plan, outside, variant, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The lines of events.ndjson, as events of the graph's first topic. */
async function* preparedEvents(folder: string, { topics }: GraphConfig): AsyncGenerator<TopicEvent> {
  const [topic] = topics;
  if (topic === undefined) return;
  const file = join(folder, 'events.ndjson');
  let number = 0;
  for await (const line of linesOf(file)) {
    number++;
    const value = Buffer.from(line);
    let key: string | null;
    try {
      ({ key } = readEvent(topic, { value, timestamp: Date.now() }));
    } catch (error) {
      throw new UsageError(`${file}, line ${number}: ${reasonOf(error)}`);
    }
    yield { topic: topic.name, key, value };
  }
}

/** The lists of vectors that are trained on fresh stores, of a graph or of its shards. */
async function trainedLists(
  { read: { stream }, split, tasks }: StreamPlan,
  config: Config,
  graphs: readonly GraphConfig[],
  read: Pick<ReplayOptions, 'eventLog' | 'range' | 'topicIds'>,
): Promise<Lists> {
  // An entity without a trained edge is a candidate all the same.
  const space = await trainedSpace(config, graphs, { ...read, space: 'evaluation' }, stream.entities);
  return rankTasks(tasks, byVectors(space, stream, split), async () => undefined);
}

/**
 * The lists of a model trained as a batch trainer does it: many passes over the edges that are live at the cut, each pass in an
 * order of its own, each edge in turn without rehearsal, with a learning rate that falls.
 */
async function manyPasses(
  plan: StreamPlan,
  variant: (name: string, settings: readonly string[]) => Promise<Variant>,
  passes: number,
  folder: string,
): Promise<Lists> {
  const { stream } = plan.read;
  const plain = await variant('passes', MANY_PASSES);
  const train = liveEdges(plan.split);
  const names = stream.relations.map(({ name }) => name);
  const told = { train, snapshots: [train.lhs.length], keys: stream.entities, names };
  const topic = fullName(plain.config.topicPrefix, plain.graph.topics[0]!);
  const log = new TripleLog(told, { topic, passes, seed: plain.graph.trainer.seed });
  const steps = Math.ceil(log.range.until / plain.graph.trainer.chunkEdges);
  const { config, graph } = await variant('passes', [...MANY_PASSES, `training.decaySteps=${steps}`]);
  const state = join(folder, 'passes');
  const tuning = { ...config.tuning, commitEdges: COMMIT_EDGES };
  const whole = { ...graph, folder: join(state, graph.name) };
  const read = { eventLog: log, range: [log.range], topicIds: {} };
  return trainedLists(plan, { ...config, state, tuning }, [whole], read);
}

/** The edges that are live at the cut, each once, by number in the stream. */
function liveEdges({ scopes }: StreamPlan['split']): EdgeRows {
  const pairs = [...new Set(scopes.map(({ pair }) => pair))];
  return {
    lhs: Int32Array.from(pairs.flatMap(({ live }) => [...live.lhs])),
    relation: Int32Array.from(pairs.flatMap(({ live }) => [...live.relation])),
    rhs: Int32Array.from(
      pairs.flatMap(({ live, candidates }) => Array.from(live.item, (item) => candidates[item]!)),
    ),
  };
}

/** The mean of several seeds, task by task. */
function meanLists(runs: readonly Lists[]): Lists {
  const [first] = runs;
  if (first === undefined || runs.length === 1) return first ?? new Map();
  return new Map(
    [...first].map(([scope, { figures }]) => {
      const all = runs.flatMap((run) => run.get(scope) ?? []);
      const mean = (of: (run: (typeof all)[number]) => number) =>
        all.reduce((sum, run) => sum + of(run), 0) / all.length;
      return [
        scope,
        {
          figures: figures.map((values, i) => values.map((_, task) => mean((run) => run.figures[i]![task]!))),
          coverage: mean(({ coverage }) => coverage),
        },
      ];
    }),
  );
}
