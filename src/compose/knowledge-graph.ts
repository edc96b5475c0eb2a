import { z } from 'zod';
import { idField, instantField } from '../../topics/fields.ts';
import { fullName } from '../../topics/index.ts';
import { defineTopic } from '../../topics/topic.ts';
import { configOf } from '../config/load.ts';
import type { Config, GraphConfig } from '../config/resolve.ts';
import { ENTITY_TYPE, keyOf, relationName, TripleLog } from '../evaluation/graph/triple-log.ts';
import type { KnowledgeGraph } from '../evaluation/graph/triples.ts';
import type { Space } from '../evaluation/space.ts';
import { graphOf } from '../graph/shard.ts';
import type { Log } from '../log.ts';
import { FIRST_STORE, placeOf } from '../state/places.ts';
import { loadShards, loadSpace } from './evaluation.ts';
import type { Replaying } from './replay.ts';
import { composeParts } from './shards.ts';

const GRAPH = 'knowledge-graph';
const TOPIC = 'triple';
/** One commit for so many edges: a store that is thrown away gains nothing by more. */
const COMMIT_EDGES = 1_000_000;
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

/** A knowledge graph with its configuration and its log. */
export interface TrainedGraph {
  readonly config: Config;
  /** The whole graph, or each of its shards. */
  readonly graphs: readonly GraphConfig[];
  readonly log: TripleLog;
}

/**
 * The configuration of a knowledge graph: the product's defaults, the settings of its way of training, then those that
 * were asked for. No file and no environment has a part in it, so that a result can be repeated.
 * @throws UsageError with every problem of the settings.
 */
export function knowledgeGraph(triples: KnowledgeGraph, options: KnowledgeGraphTraining): TrainedGraph {
  const { passes, shards, seed, settings, folder } = options;
  const relations = triples.relations.map((_, i) => relationName(i));
  const own = {
    state: folder,
    topicPrefix: '',
    entityTypes: [ENTITY_TYPE],
    relations: relations.map((name) => ({ name, lhs: ENTITY_TYPE, rhs: ENTITY_TYPE })),
    topics: [TRIPLES],
    graphs: { [GRAPH]: { topics: [TOPIC], relations, shards } },
    limits: { maxEntities: triples.entities.length },
    commit: { everyEdges: COMMIT_EDGES },
  };
  const recipe = [...START, `training.seed=${seed}`, ...(passes > 1 ? MANY_PASSES : [])];
  const resolve = (more: readonly string[]) => {
    const config = configOf(own, {}, folder, [...recipe, ...more, ...settings]);
    return { config, graphs: config.graphs.filter((graph) => graphOf(graph) === GRAPH) };
  };
  const topic = fullName('', TRIPLES);
  const log = new TripleLog(triples, {
    topic,
    passes,
    seed,
    keys: triples.entities.map((_, entity) => keyOf(entity)),
    names: relations,
  });
  if (passes === 1) return { ...resolve([]), log };
  const { chunkEdges } = resolve([]).graphs[0]!.trainer;
  return { ...resolve([`training.decaySteps=${Math.ceil(log.records / chunkEdges)}`]), log };
}

/** Updaters of a replay of all passes, on fresh stores: one, or one for each shard. They are to run together. */
export function composeKnowledgeGraph(
  { config, graphs, log }: TrainedGraph,
  to: Log,
): Promise<readonly Replaying[]> {
  const range = [log.range];
  return composeParts(config, graphs, { log: to, eventLog: log, range, topicIds: {}, space: GRAPH });
}

/** The trained vectors; entities of no training triple lie at the origin. */
export function readSpace(triples: KnowledgeGraph, { graphs }: TrainedGraph): Promise<Space> {
  const keys = triples.entities.map((_, entity) => keyOf(entity));
  const whole = graphs.length === 1 ? graphs[0] : undefined;
  return whole ? loadSpace(whole, placeOf(whole, FIRST_STORE), keys) : loadShards(graphs, keys);
}

/** The events that training triples are. They are handed over as edges: nothing has to be parsed. */
const TRIPLES = defineTopic({
  name: TOPIC,
  partitions: 1,
  schema: z.object({ head: idField, relation: z.number().int(), tail: idField, at: instantField }),
  key: ({ head }) => head,
  changes: ({ head, relation, tail, at }) => [
    {
      lhs: keyOf(Number(head)),
      relation: relationName(relation),
      rhs: keyOf(Number(tail)),
      at,
      removed: false,
    },
  ],
});
