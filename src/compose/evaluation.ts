import type { Config, GraphConfig } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import type { TripleLog } from '../evaluation/graph/triple-log.ts';
import { Space } from '../evaluation/space.ts';
import type { EntityKey } from '../graph/entity.ts';
import { shardOf } from '../graph/shard.ts';
import { reproducible } from '../kernels/select.ts';
import type { Log } from '../log.ts';
import type { EventLog, Stretch } from '../pipeline/ports.ts';
import type { PrequentialSettings, RankedEdges } from '../pipeline/training/trainer.ts';
import { openForReading, openForWriting } from '../state/open.ts';
import { FIRST_STORE, placeOf, type StorePlace } from '../state/places.ts';
import { composeReplay, type Replaying, type ReplayOptions } from './replay.ts';

/** One commit for so many edges: a store that is thrown away gains nothing by more. */
const COMMIT_EDGES = 1_000_000;

/** What a store is trained on for an evaluation. */
export interface EvaluatedTraining {
  readonly log: Log;
  /** A store of its own: nobody else's is touched. */
  readonly place: StorePlace;
  readonly eventLog: EventLog;
  readonly range: readonly Stretch[];
  readonly topicIds: Readonly<Record<string, string>>;
  readonly prequential: PrequentialSettings;
  /** Gets the edges that were ranked before they were learned, in the order of the stream. */
  readonly onRanked: (edges: RankedEdges) => void;
}

/**
 * The updater of a replay on a store for evaluation, from where the store stands to the end of the range. Each edge is
 * ranked before it is learned; the vectors are those of the same replay without ranking.
 */
export async function composeEvaluation(
  config: Config,
  graph: GraphConfig,
  { place, prequential, onRanked, ...replay }: EvaluatedTraining,
): Promise<Replaying> {
  const trainer = { ...graph.trainer, evaluatedEdges: 0, prequential };
  // What does not fit in memory lies beside the store, not in the state folder of live graphs.
  const own = { ...config, state: place.folder };
  const measures = { ranked: onRanked };
  return composeOn(place, own, { ...graph, trainer }, { ...replay, measures });
}

/** The updater of many passes over the same edges, on a fresh store for evaluation. */
export async function composePasses(
  config: Config,
  graph: GraphConfig,
  { place, log, eventLog }: Pick<EvaluatedTraining, 'place' | 'log'> & { readonly eventLog: TripleLog },
): Promise<Replaying> {
  const trainer = { ...graph.trainer, evaluatedEdges: 0 };
  const tuning = { ...config.tuning, commitEdges: COMMIT_EDGES };
  const own = { ...config, state: place.folder, tuning };
  const range = [eventLog.range];
  return composeOn(place, own, { ...graph, trainer }, { log, eventLog, range, topicIds: {} });
}

async function composeOn(
  place: StorePlace,
  config: Config,
  graph: GraphConfig,
  replay: Omit<ReplayOptions, 'stores' | 'space'>,
): Promise<Replaying> {
  const store = await openForWriting(graph, { place });
  const [replaying] = composeReplay(config, [graph], { ...replay, space: 'evaluation', stores: [store] });
  return replaying!;
}

/**
 * The vectors of a trained store in memory, with the kernel that trained them: scores are the same on every machine.
 * unseen: entities that take part although no event named them.
 * @throws FatalError `store-missing` where nothing was committed to the store.
 */
export async function loadSpace(
  graph: GraphConfig,
  place: StorePlace,
  unseen: Iterable<EntityKey> = [],
): Promise<Space> {
  const store = await openForReading(graph, place);
  try {
    const head = await store?.head();
    if (store === undefined || head === undefined) {
      throw new FatalError('store-missing', `nothing was trained in ${place.folder}: there is no store`);
    }
    return await Space.read(store, head, { kernel: reproducible(graph.trainer.kernel), unseen });
  } finally {
    await store?.close();
  }
}

/**
 * The vectors of all shards of a graph, as one space; relation vectors are the means of the shards'.
 * unseen: as in {@link loadSpace}. @throws FatalError `store-missing` where nothing was committed to a shard's store.
 */
export async function loadShards(
  graphs: readonly GraphConfig[],
  unseen: Iterable<EntityKey> = [],
): Promise<Space> {
  await using opened = new AsyncDisposableStack();
  const parts = [];
  for (const graph of graphs) {
    const store = await openForReading(graph, placeOf(graph, FIRST_STORE));
    opened.defer(async () => store?.close());
    const head = await store?.head();
    if (store === undefined || head === undefined)
      throw new FatalError('store-missing', `nothing was trained in ${graph.folder}: there is no store`);
    const { shard } = graph;
    const owns = (key: EntityKey) => shard === undefined || shardOf(key, shard.count) === shard.index;
    parts.push({ store, head, owns });
  }
  return await Space.join(parts, { kernel: reproducible(graphs[0]!.trainer.kernel), unseen });
}
