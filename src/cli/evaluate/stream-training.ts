import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { composeEvaluation, composePasses, loadShards, loadSpace } from '../../compose/evaluation.ts';
import { MANY_PASSES } from '../../compose/knowledge-graph.ts';
import { composeParts, joinedRanking } from '../../compose/shards.ts';
import { shardsOf } from '../../config/resolve.ts';
import { TripleLog } from '../../evaluation/graph/triple-log.ts';
import type { Space } from '../../evaluation/space.ts';
import { ByInterests, catalogues } from '../../evaluation/stream/by-interests.ts';
import type { EdgeStream } from '../../evaluation/stream/edge-stream.ts';
import { type ListQuality, rankTasks } from '../../evaluation/stream/list-quality.ts';
import { RankedLog } from '../../evaluation/stream/ranked-edges.ts';
import { ByVectors, modelOf, type Recommender } from '../../evaluation/stream/recommender.ts';
import type { EventLog, Stretch } from '../../pipeline/ports.ts';
import type { PrequentialSettings, RankedEdges, Triples } from '../../pipeline/training/trainer.ts';
import { Random } from '../../sampling/random.ts';
import type { JoinedRanking } from '../../shards/joined-ranking.ts';
import type { StorePlace } from '../../state/places.ts';
import type { CommandContext } from '../context.ts';
import type { EvaluationProgress } from './progress.ts';
import { SEED, type StreamPlan } from './stream-plan.ts';
import type { StreamRequest, Variant } from './stream-request.ts';

/** Candidates of each set in the prequential protocol. */
export const CANDIDATES = 1_000;
/** The first edges are learned and not ranked: a model that has seen nothing is not what is measured. */
const WARM_UP = 0.2;

/** By name of the scope. */
type Lists = ReadonlyMap<string, ListQuality>;

/** What a trained model gave. */
export interface Measured {
  readonly lists: Lists;
  /** The same vectors asked by several interests of each user, by name of the way; where that was asked for. */
  readonly interests: Readonly<Record<string, Lists>>;
  readonly ranked: RankedEdges;
}

/** What is measured beside the lists of the vectors. */
export interface MeasuredToo {
  readonly interests: boolean;
  readonly prequential: boolean;
  /** Updaters that train the graph together; 1: it is whole. */
  readonly shards: number;
}

const NOTHING: Triples = { lhs: new Int32Array(), relation: new Int32Array(), rhs: new Int32Array() };
const BOTH_PROTOCOLS: MeasuredToo = { interests: false, prequential: true, shards: 1 };

export interface TrainingOutside {
  readonly eventLog: EventLog;
  /** An empty folder, which the training may fill. */
  readonly folder: string;
  readonly progress: EvaluationProgress;
  readonly context: Pick<CommandContext, 'log'>;
}

/** A model trained on a stream in a store of its own: up to the cut, where lists are ranked, and on to the end. */
export class StreamTraining {
  readonly #plan: StreamPlan;
  readonly #variant: Variant;
  readonly #outside: TrainingOutside;
  readonly #place: StorePlace;
  readonly #ranked = new RankedLog();

  constructor(plan: StreamPlan, variant: Variant, outside: TrainingOutside) {
    this.#plan = plan;
    this.#variant = variant;
    this.#outside = outside;
    this.#place = { graph: variant.graph.name, name: 'evaluation', folder: join(outside.folder, 'store') };
  }

  async measure({ interests, prequential, shards }: MeasuredToo = BOTH_PROTOCOLS): Promise<Measured> {
    const { name } = this.#variant;
    const { known, range, read, split, tasks } = this.#plan;
    const { progress } = this.#outside;
    if (shards === 1) await this.#train(known, NOTHING, prequential);
    else await this.#trainShards(known, shards, false);
    const space = await this.#load(shards);
    const model = modelOf(space, read.stream);
    const plain = new ByVectors(model, split);
    const ranked = (by: Recommender, what: string) =>
      rankTasks(tasks, by, progress.meter(`lists ranked by ${what}`));
    const lists = await ranked(plain, name);
    const byInterests: Record<string, Lists> = {};
    if (interests) {
      const turn = () => progress.turn('targets clustered');
      const of = await catalogues(split, space, model.rows, Random.seeded(SEED), turn);
      byInterests['mixture'] = await ranked(new ByInterests(of, plain), 'mixture');
    }
    if (prequential && shards === 1)
      await this.#train(range, learnedAs(model.rows, read.stream, split.cut), true);
    if (prequential && shards > 1) {
      // From the start again: what shards have sent each other by the cut is in no store.
      await rm(this.#place.folder, { recursive: true });
      await this.#trainShards(range, shards, true);
    }
    await rm(this.#place.folder, { recursive: true });
    return { lists, interests: byInterests, ranked: this.#ranked.whole() };
  }

  /** The vectors at the end of the training, those of all shards as one space. */
  async #load(shards: number): Promise<Space> {
    const { graph } = this.#variant;
    return shards === 1
      ? await loadSpace(graph, this.#place)
      : await loadShards(shardsOf(graph, shards, this.#place.folder));
  }

  /** Trains all shards together, on fresh stores, to the end of a range. */
  async #trainShards(range: readonly Stretch[], shards: number, ranking: boolean): Promise<void> {
    const { config, graph, name } = this.#variant;
    const { topicIds } = this.#plan;
    const { eventLog, progress, context } = this.#outside;
    const state = this.#place.folder;
    const log = context.log();
    const replaying = await composeParts({ ...config, state }, shardsOf(graph, shards, state), {
      log,
      eventLog,
      range,
      topicIds,
      space: 'evaluation',
      ...(ranking && { ranking: this.#ranking(shards) }),
    });
    await progress.trainTogether(replaying, range, { graph: graph.name, model: name, shards });
  }

  /** Ranks over all shards. Entities have rows in the order in which the stream names them, as in the whole graph. */
  #ranking(shards: number): JoinedRanking {
    const { graph } = this.#variant;
    const { stream } = this.#plan.read;
    const first = 2 * graph.trainer.relations.length;
    return joinedRanking(graph, stream.entities.length, {
      shards,
      prequential: this.#prequential(true, NOTHING),
      rowOf: (entity) => first + stream.find(entity)!,
      onRanked: (edges) => this.#ranked.add(edges),
    });
  }

  /** Trains the store from where it stands to the end of a range. before: what it has learned, as rows. */
  async #train(range: readonly Stretch[], before: Triples, ranking: boolean): Promise<void> {
    const { config, graph, name } = this.#variant;
    const { topicIds } = this.#plan;
    const { eventLog, progress, context } = this.#outside;
    const replaying = await composeEvaluation(config, graph, {
      log: context.log(),
      place: this.#place,
      eventLog,
      range,
      topicIds,
      prequential: this.#prequential(ranking, before),
      onRanked: (edges) => this.#ranked.add(edges),
    });
    await progress.train(replaying, range, { graph: graph.name, model: name });
  }

  #prequential(ranking: boolean, before: Triples): PrequentialSettings {
    const { read, halfLife } = this.#plan;
    const from = ranking ? Math.floor(WARM_UP * read.stream.learned) : Number.MAX_SAFE_INTEGER;
    return { seed: SEED, from, candidates: CANDIDATES, halfLife, before };
  }
}

/**
 * The lists of a model trained as a batch trainer does it: many passes over the edges that are live at the cut, each pass in an
 * order of its own, each edge in turn without rehearsal, with a learning rate that falls.
 */
export async function measurePasses(
  { split, read: { stream }, tasks }: StreamPlan,
  { variant, own, topics, options: { set } }: StreamRequest,
  passes: number,
  { folder, progress, context }: TrainingOutside,
): Promise<Lists> {
  const name = `${passes} passes`;
  const [topic = ''] = topics;
  const { seed } = own[0]!.graph.trainer;
  const edges = liveEdges(split);
  const log = new TripleLog(
    { train: edges, snapshots: [edges.lhs.length] },
    { topic, passes, seed, keys: stream.entities, names: stream.relations.map((relation) => relation.name) },
  );
  const { chunkEdges } = (await variant(name, [...MANY_PASSES, ...set])).graph.trainer;
  const decay = `training.decaySteps=${Math.ceil(log.records / chunkEdges)}`;
  const { config, graph } = await variant(name, [...MANY_PASSES, decay, ...set]);
  const place = { graph: graph.name, name: 'passes', folder: join(folder, 'passes') };
  const replaying = await composePasses(config, graph, { log: context.log(), place, eventLog: log });
  await progress.train(replaying, [log.range], { graph: graph.name, model: name });
  const model = modelOf(await loadSpace(graph, place), stream);
  const lists = await rankTasks(
    tasks,
    new ByVectors(model, split),
    progress.meter(`lists ranked by ${name}`),
  );
  await rm(place.folder, { recursive: true });
  return lists;
}

/** The edges that are live at the cut, each once, by number in the stream. */
function liveEdges({ scopes }: StreamPlan['split']): Triples {
  const pairs = [...new Set(scopes.map(({ pair }) => pair))];
  return {
    lhs: Int32Array.from(pairs.flatMap(({ live }) => [...live.lhs])),
    relation: Int32Array.from(pairs.flatMap(({ live }) => [...live.relation])),
    rhs: Int32Array.from(
      pairs.flatMap(({ live, candidates }) => Array.from(live.item, (item) => candidates[item]!)),
    ),
  };
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
