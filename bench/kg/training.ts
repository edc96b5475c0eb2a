import { z } from 'zod';
import { configOf } from '../../src/config/load.ts';
import type { GraphConfig } from '../../src/config/resolve.ts';
import type { Space } from '../../src/evaluation/space.ts';
import { graphOf } from '../../src/graph/shard.ts';
import { idField } from '../../topics/fields.ts';
import { fullName } from '../../topics/index.ts';
import { defineTopic } from '../../topics/topic.ts';
import { trainedSpace } from '../in-process.ts';
import { ENTITY_TYPE, keyOf, relationName, TripleLog } from './triple-log.ts';
import type { KnowledgeGraph } from './triples.ts';

const GRAPH = 'knowledge-graph';
/** One commit for so many edges: a store that is thrown away gains nothing by more. */
export const COMMIT_EDGES = 500_000;
/** Settings of training in many passes, as measured: each edge in turn instead of rehearsal, a rate that falls, a steeper score. */
export const MANY_PASSES = ['training.updatesPerEdge=1', 'model.learningRate=0.1', 'model.beta=12'];
/** Random starts of a knowledge graph are short: its entities have many edges from the first batch on. */
const START = ['training.initScale=0.05'];

/** How a knowledge graph is trained. */
export interface KnowledgeGraphTraining {
  /** Times that every triple is told; 1: as a stream. */
  readonly passes: number;
  /** Updaters that the graph is cut into; 1: it is whole. */
  readonly shards: number;
  readonly seed: number;
  /** `key=value` over the settings of the product and of many passes. */
  readonly settings: readonly string[];
  /** Folder of the store; everything that is written lies in it. */
  readonly folder: string;
}

/**
 * Trains all passes on fresh stores, one or one for each shard, by the product's defaults, the settings of its way of training, then
 * those that were asked for. No file and no environment has a part in it, so that a result can be repeated. Gives the settings of
 * the graph or of its first shard, and the vectors; entities of no training triple lie at the origin.
 * @throws UsageError with every problem of the settings.
 */
export async function trainGraph(
  triples: KnowledgeGraph,
  options: KnowledgeGraphTraining,
): Promise<{ trainer: GraphConfig['trainer']; space: Space }> {
  const { passes, shards, seed, settings, folder } = options;
  const names = triples.relations.map((_, i) => relationName(i));
  const own = {
    state: folder,
    topicPrefix: '',
    entityTypes: [ENTITY_TYPE],
    relations: names.map((name) => ({ name, lhs: ENTITY_TYPE, rhs: ENTITY_TYPE })),
    topics: [TRIPLES],
    graphs: { [GRAPH]: { topics: [TRIPLES.name], relations: names, shards } },
    limits: { maxEntities: triples.entities.length },
    commit: { everyEdges: COMMIT_EDGES },
  };
  const recipe = [...START, `training.seed=${seed}`, ...(passes > 1 ? MANY_PASSES : [])];
  const resolve = (more: readonly string[]) => {
    const config = configOf(own, {}, folder, [...recipe, ...more, ...settings]);
    const graphs = config.graphs.filter((graph) => graphOf(graph) === GRAPH);
    return { config, graphs, trainer: graphs[0]!.trainer };
  };
  const keys = triples.entities.map((_, entity) => keyOf(entity));
  const log = new TripleLog({ ...triples, keys, names }, { topic: fullName('', TRIPLES), passes, seed });
  const steps = Math.ceil(log.range.until / resolve([]).trainer.chunkEdges);
  const { config, graphs, trainer } = resolve(passes > 1 ? [`training.decaySteps=${steps}`] : []);
  const read = { eventLog: log, range: [log.range], topicIds: {}, space: GRAPH };
  return { trainer, space: await trainedSpace(config, graphs, read, keys) };
}

/** A topic that nobody writes: triples are handed over as edges, and nothing has to be parsed. */
const TRIPLES = defineTopic({
  name: 'triple',
  partitions: 1,
  schema: z.object({ head: idField }),
  key: ({ head }) => head,
  changes: () => [],
});
