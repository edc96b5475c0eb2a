import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import { readSpace, type Space } from '../evaluation/space.ts';
import { commonNeighbours } from '../evaluation/stream/common-neighbours.ts';
import type { EdgeStream } from '../evaluation/stream/edge-stream.ts';
import {
  type ListQuality,
  rankByChance,
  rankTasks,
  type ScopeFigures,
  scopeFigures,
} from '../evaluation/stream/lists.ts';
import { readStream } from '../evaluation/stream/read-stream.ts';
import {
  byVectors,
  popularity,
  type Recommender,
  recentPopularity,
} from '../evaluation/stream/recommender.ts';
import {
  joinedEdges,
  type SliceFigures,
  scoredBy,
  scoredByChance,
  sliceFigures,
  slicesOf,
} from '../evaluation/stream/slices.ts';
import { sampleTasks, splitStream } from '../evaluation/stream/split.ts';
import { type EdgeRows, edgeRows } from '../graph/edge.ts';
import { reproducible } from '../kernels/select.ts';
import type { Log } from '../log.ts';
import type { EventLog, SourceRecord, Stretch } from '../pipeline/ports.ts';
import { readContent } from '../pipeline/reading/record-content.ts';
import type { RankedEdges } from '../pipeline/training/trainer.ts';
import { Random } from '../sampling/random.ts';
import { openForReading, openForWriting } from '../state/open.ts';
import type { StorePlace } from '../state/places.ts';
import { topicsOf } from './graph-updater.ts';
import { composeReplay, type Replaying } from './replay.ts';
import { kernelOf } from './wide.ts';

/** Seed of candidates, samples and intervals: the same stream gives the same figures each time. */
export const SEED = 1;
/** Candidates of each set in the prequential protocol. */
export const CANDIDATES = 1_000;
/** The first edges are learned and not ranked: a model that has seen nothing is not what is measured. */
const WARM_UP = 0.2;
/** Recent popularity halves with this share of the edges. */
const HALF_LIFE = 0.02;

/** Follows an evaluation, and may end it by throwing. */
export interface EvaluationProgress {
  /** Hears how far the work is, and gives other work of the process its turn. */
  turn(status: string): Promise<void>;
  /** The same for work of a known size. */
  meter(what: string): (done: number, of: number) => Promise<void>;
  /** Runs an updater to the end of a range. */
  train(replaying: Replaying, range: readonly Stretch[], fields: object): Promise<void>;
}

export interface EvaluationOutside {
  readonly log: Log;
  readonly eventLog: EventLog;
  /** An empty folder, which the evaluation may fill. */
  readonly folder: string;
  readonly progress: EvaluationProgress;
}

/** Settings that a graph is trained with. */
export interface Variant {
  readonly name: string;
  readonly config: Config;
  readonly graph: GraphConfig;
}

/** The records that are read, and the topics that they lie in. */
export interface StreamRange {
  readonly range: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
}

/** The stream as read, its split, and what is to be ranked. */
export type StreamPlan = Awaited<ReturnType<typeof planStream>>;

/** By name of the scope. */
export type Lists = ReadonlyMap<string, ListQuality>;

/** Reads a range of the stream, holds a share of the records back, and draws at most so many users to rank. There may be no task. */
export async function planStream(
  { config, graph }: Pick<Variant, 'config' | 'graph'>,
  range: StreamRange,
  { holdout, users }: { readonly holdout: number; readonly users: number },
  { eventLog, progress }: Pick<EvaluationOutside, 'eventLog' | 'progress'>,
) {
  const byName = topicsOf(config, graph);
  const content = (record: SourceRecord) => ({
    ...record,
    content: readContent(record, byName, config.limits),
  });
  const read = await readStream(eventLog, range.range, graph.model.relations, content, (records) =>
    progress.turn(`${records} records read`),
  );
  const { stream, records } = read;
  const { stretches: known, events } = read.before(Math.floor(records * (1 - holdout)));
  const split = splitStream(stream, events);
  const random = Random.seeded(SEED);
  return {
    ...range,
    /** The part of the range before the cut. */
    known,
    read,
    split,
    /** Tasks of the users that were drawn. */
    tasks: sampleTasks(split.tasks, users, (n) => random.below(n)),
    /** Half-life of recent popularity, in edges. */
    halfLife: Math.max(1, Math.round(HALF_LIFE * stream.learned)),
  };
}

/** Trains a graph on a stream in a store of its own: up to the cut, where lists are ranked, and on to the end. */
export async function measureStream(plan: StreamPlan, variant: Variant, outside: EvaluationOutside) {
  const { known, range, topicIds, read, split, tasks } = plan;
  const { config, graph, name } = variant;
  const { log, eventLog, folder, progress } = outside;
  const place = { graph: graph.name, name: 'evaluation', folder: join(folder, 'store') };
  // What does not fit in memory lies beside the store, not in the state folder of live graphs.
  const own = { ...config, state: place.folder };
  const ranked: RankedEdges[] = [];
  /** Trains the store from where it stands to the end of a range. before: what it has learned, as rows. */
  const train = async (stretches: readonly Stretch[], before: EdgeRows) => {
    const from = Math.floor(WARM_UP * read.stream.learned);
    const prequential = { seed: SEED, from, candidates: CANDIDATES, halfLife: plan.halfLife, before };
    // Each edge is ranked before it is learned; the vectors are those of the same replay without ranking.
    const trainer = { ...graph.trainer, evaluatedEdges: 0, prequential };
    const measures = { ranked: (edges: RankedEdges) => void ranked.push(edges) };
    const stores = [await openForWriting(graph, { place })];
    const reads = { log, eventLog, topicIds, range: stretches };
    const options = { ...reads, space: 'evaluation', stores, measures };
    const [replaying] = composeReplay(own, [{ ...graph, trainer }], options);
    await progress.train(replaying!, stretches, { graph: graph.name, model: name });
  };
  await train(known, edgeRows(0));
  const space = await trainedSpace(graph, place);
  const lists = await rankTasks(
    tasks,
    byVectors(space, read.stream, split),
    progress.meter(`lists ranked by ${name}`),
  );
  await train(range, learnedAs(space, read.stream, split.cut));
  await rm(place.folder, { recursive: true });
  return { lists, ranked: joinedEdges(ranked) };
}

/** The edges learned before an event, as rows of the whole store that the space was read from. */
function learnedAs(
  space: Space,
  { entities, lhs, rhs, relation, removes }: EdgeStream,
  until: number,
): EdgeRows {
  const rows = Int32Array.from(entities, (key) => space.rowOf(key) ?? -1);
  const events = Array.from({ length: until }, (_, event) => event).filter(
    (event) => rows[lhs[event]!]! >= 0 && rows[rhs[event]!]! >= 0 && !removes[event],
  );
  return {
    lhs: Int32Array.from(events, (event) => rows[lhs[event]!]!),
    relation: Int32Array.from(events, (event) => relation[event]!),
    rhs: Int32Array.from(events, (event) => rows[rhs[event]!]!),
  };
}

/** The simple rules that lists are compared with, by name. */
export async function simpleRules(
  { split, tasks, halfLife }: StreamPlan,
  random: Random,
  progress: EvaluationProgress,
): Promise<Record<string, Lists>> {
  const ranked = (name: string, by: Recommender) =>
    rankTasks(tasks, by, progress.meter(`lists ranked by ${name}`));
  return {
    popularity: await ranked('popularity', popularity(split)),
    'recent popularity': await ranked('recent popularity', recentPopularity(split, halfLife)),
    'common neighbours': await ranked('common neighbours', commonNeighbours(split, random)),
    chance: rankByChance(tasks),
  };
}

/** The time-split protocol: every way of ranking, by scope. ways: the vectors first. */
export function listFigures(
  { split }: StreamPlan,
  ways: Readonly<Record<string, Lists>>,
  random: Random,
): ScopeFigures[] {
  return split.scopes.flatMap(({ name: scope, pair }) => {
    const found = Object.entries(ways).flatMap(([way, lists]) => {
      const quality = lists.get(scope);
      return quality === undefined ? [] : [[way, quality] as const];
    });
    // No user that was drawn may have a task in this scope.
    if (found.length === 0) return [];
    return [scopeFigures({ scope, candidates: pair.candidates.length }, Object.fromEntries(found), random)];
  });
}

/** The prequential protocol: every way of ranking, by slice of the stream. */
export function edgeFigures({ model }: GraphConfig, ranked: RankedEdges): SliceFigures[] {
  const ways = {
    vectors: scoredBy(ranked, 'vectors'),
    popularity: scoredBy(ranked, 'popularity'),
    'recent popularity': scoredBy(ranked, 'recent'),
    'random start': scoredBy(ranked, 'start'),
    chance: scoredByChance(ranked),
  };
  const random = Random.seeded(SEED);
  const slices = slicesOf(model.relations.map(({ name }) => name));
  return slices.flatMap((slice) => sliceFigures(ranked, slice, ways, random) ?? []);
}

/** The vectors of a trained store, with the kernel that trained them. @throws FatalError `store-missing` where nothing was committed. */
async function trainedSpace(graph: GraphConfig, place: StorePlace): Promise<Space> {
  await using store = await openForReading(graph, place);
  const head = await store?.head();
  if (store === undefined || head === undefined)
    throw new FatalError('store-missing', `nothing was trained in ${place.folder}: there is no store`);
  return await readSpace(store, head, kernelOf(graph.trainer, reproducible).kernel);
}
