import { join, resolve } from 'node:path';
import {
  EVENT_TOPICS,
  type EventTopic,
  erasureOf,
  fullName,
  nameProblem,
  type Retention,
} from '../../topics/index.ts';
import type { RecordLimits } from '../../topics/record.ts';
import { type Vocabulary, withVocabulary } from '../../topics/vocabulary.ts';
import type { KafkaSettings } from '../adapters/kafka/settings.ts';
import { RELATIONS, type Relation } from '../graph/edge.ts';
import { ENTITY_TYPES } from '../graph/entity.ts';
import type { ModelIdentity } from '../graph/head.ts';
import { graphOf, type Shard, shardName } from '../graph/shard.ts';
import type { Surface } from '../graph/surface.ts';
import type { LogLevel } from '../log.ts';
import type { TrainerSettings } from '../pipeline/training/trainer.ts';
import type { Tuning } from '../pipeline/tuning.ts';
import { writtenTopics } from './declared-topics.ts';
import {
  checkBrokers,
  type Environment,
  type HttpAddress,
  readHttpAddress,
  TOPIC_PREFIX,
} from './environment.ts';
import type { ConfigFile } from './schema.ts';
import { surfacesOf } from './surfaces.ts';

/** Candidates against which each evaluated edge is ranked. */
const EVALUATED_CANDIDATES = 500;
/** Most bytes of the relation vectors that a shard sends in one message: brokers take 1 MiB unless told otherwise. */
const RELATION_BYTES = 900_000;

/** One graph or one shard of a graph, ready to run. */
export interface GraphConfig {
  /** A shard has a name of its own, `engagement-3`; `graphOf` gives the name of the whole graph. */
  readonly name: string;
  readonly topics: readonly EventTopic[];
  readonly model: ModelIdentity;
  readonly trainer: TrainerSettings;
  readonly folder: string;
  /** Absent where the graph is whole. */
  readonly shard?: Shard;
}

/** The whole configuration, checked and frozen. */
export interface Config {
  /** Path of the configuration file; undefined where there is none, and every key has its default. */
  readonly file?: string | undefined;
  readonly kafka: KafkaSettings;
  readonly topicPrefix: string;
  /** How long an event topic is kept that does not say so itself. */
  readonly eventRetention: Retention;
  readonly state: string;
  /** undefined where neither file nor environment names an address. */
  readonly http: HttpAddress | 'off' | undefined;
  readonly topics: readonly EventTopic[];
  readonly graphs: readonly GraphConfig[];
  /** Lists that have a name. */
  readonly surfaces: readonly Surface[];
  readonly tuning: Tuning;
  readonly limits: RecordLimits;
  readonly logLevel: LogLevel;
}

/** TwHIN's own two graphs. A configuration that has graphs has those alone, and may name these. */
const GRAPHS: Readonly<Record<string, { topics: readonly string[]; relations: readonly string[] }>> = {
  engagement: {
    topics: ['engagement', 'ad-click', 'search'],
    relations: ['likes', 'retweets', 'replies', 'quotes', 'mentions', 'clicks', 'promotes', 'searches'],
  },
  follow: { topics: ['follow', 'ad-click'], relations: ['follows', 'clicks', 'promotes'] },
};

/** Combines file and environment; `problems` gets a line for each value that contradicts another. */
export function resolveConfig(
  file: ConfigFile,
  environment: Environment,
  cwd: string,
  problems: string[],
): Config | undefined {
  const brokers = environment.brokers ?? file.kafka.brokers ?? ['127.0.0.1:9092'];
  checkBrokers(brokers, problems);
  const asked = graphsIn(file);
  const { entityTypes, relations, vocabulary } = namesIn(file, asked, problems);
  // Erasures may name the configuration's own entity types too.
  const erasure = erasureOf(vocabulary.entityTypes);
  const ownTopics = file.topics.map((topic) => withVocabulary(topic, vocabulary));
  const builtIn = EVENT_TOPICS.map((topic) => (topic.name === erasure.name ? erasure : topic)).filter(
    ({ name }) => !namesOf(ownTopics).includes(name),
  );
  const replaced = RELATIONS.some(({ name }) => namesOf(file.relations).includes(name));
  const topics = [
    ...ownTopics,
    // Their events may not fit the relation that took a name.
    ...(replaced ? builtIn.map((topic) => withVocabulary(topic, { entityTypes, relations })) : builtIn),
  ];
  checkUnique('topics', namesOf(topics), problems);
  checkRecipe(file, namesOf(relations), problems);
  const state = resolve(cwd, environment.state ?? file.state ?? '.twhin/state');
  const graphs = asked.flatMap(({ name, shards, erasure: erases, ...named }) => {
    const chosen = pick(`graphs.${name}.relations`, named.relations, relations, problems);
    const read = pick(`graphs.${name}.topics`, named.topics, topics, problems);
    const readsErasure = read.some((topic) => topic.name === erasure.name);
    if (readsErasure && !erases) {
      problems.push(
        `graphs.${name}.erasure: expected true with the topic erasure in graphs.${name}.topics, seen false`,
      );
    }
    const erasures = erases && !readsErasure ? topics.filter((topic) => topic.name === erasure.name) : [];
    const whole = {
      name,
      topics: [...read, ...erasures],
      folder: resolve(state, name),
      ...modelOf(file, inOrder(chosen)),
    };
    if (shards === 1) return [whole];
    checkShards(whole, shards, namesOf(asked), file.training.threads, problems);
    return shardsOf(whole, shards, state);
  });
  const topicPrefix = environment.topicPrefix ?? file.topicPrefix;
  const read = new Set(graphs.flatMap((graph) => graph.topics));
  if (TOPIC_PREFIX.test(topicPrefix)) {
    // An own topic is at fault where it is that of another, so it comes last.
    const named = [...builtIn.filter((topic) => read.has(topic)), ...ownTopics];
    checkNamesOnCluster({ topics: named, topicPrefix, graphs }, problems);
  }
  const surfaces = surfacesOf(
    file.surfaces,
    graphs.map(({ model }) => model.relations),
    problems,
  );
  const [key, address] =
    environment.http === undefined ? ['http', file.http] : ['TWHIN_HTTP', environment.http];
  const http = address === undefined ? undefined : readHttpAddress(key, address, problems);
  if (problems.length > 0) return undefined;
  const { training, commit, publish, limits } = file;
  return frozen({
    kafka: { brokers, clientId: file.kafka.clientId, ...environment.security },
    topicPrefix,
    eventRetention: file.eventRetentionMs,
    state,
    http,
    topics: topics.filter((topic) => read.has(topic)),
    graphs,
    surfaces,
    tuning: {
      ...publish,
      batchEdges: training.batchEdges,
      lingerMs: training.lingerMs,
      commitEdges: commit.everyEdges,
      commitMs: commit.everyMs,
      recoverMs: commit.recoverMs,
      queueBytes: limits.queueBytes,
      readyLagMs: limits.readyLagMs,
      stopMs: limits.stopMs,
    },
    limits: { valueBytes: limits.valueBytes, depth: limits.depth },
    logLevel: file.log.level,
  });
}

/** The graphs of the file, or without any those that come with us. Lists that a graph must have may be missing. */
function graphsIn({ graphs }: ConfigFile) {
  const own = Object.keys(graphs);
  return (own.length > 0 ? own : Object.keys(GRAPHS)).map((name) => {
    const { shards = 1, erasure = true, ...own }: Partial<ConfigFile['graphs'][string]> = graphs[name] ?? {};
    const { topics = GRAPHS[name]?.topics, relations = GRAPHS[name]?.relations } = own;
    return { name, shards, erasure, topics, relations };
  });
}

/**
 * The entity types and relations that graphs can have. The configuration's own come first, so that they lead each list of what
 * was expected, and a relation of its own replaces one of TwHIN's.
 * vocabulary: what its own topics may make, and erasures may name. TwHIN's names are among it where a graph has them: an event
 * with any other would be lost without a trace.
 */
function namesIn(
  file: ConfigFile,
  graphs: ReturnType<typeof graphsIn>,
  problems: string[],
): Vocabulary & { readonly vocabulary: Vocabulary } {
  checkUnique('entityTypes', file.entityTypes, problems);
  checkUnique('relations', namesOf(file.relations), problems);
  const entityTypes = [...new Set([...file.entityTypes, ...ENTITY_TYPES])];
  const relations: readonly Relation[] = [
    ...file.relations,
    ...RELATIONS.filter(({ name }) => !namesOf(file.relations).includes(name)),
  ];
  for (const { name, lhs, rhs } of relations) {
    for (const type of [lhs, rhs]) {
      if (!entityTypes.includes(type))
        problems.push(`relations.${name}: expected one of ${entityTypes.join(', ')}, seen "${type}"`);
    }
  }
  const inGraphs = graphs.flatMap((graph) => graph.relations ?? []);
  const used = relations.filter(
    (relation) => inGraphs.includes(relation.name) || file.relations.includes(relation),
  );
  const types = [...file.entityTypes, ...used.flatMap(({ lhs, rhs }) => [lhs, rhs])];
  return { entityTypes, relations, vocabulary: { entityTypes: [...new Set(types)], relations: used } };
}

/** The shards of a whole graph. They differ by their names, and by the folders of their stores in `state`. */
export function shardsOf(whole: GraphConfig, count: number, state: string): GraphConfig[] {
  return Array.from({ length: count }, (_, index) => {
    const shard = { graph: whole.name, index, count };
    const name = shardName(shard);
    return { ...whole, name, folder: resolve(state, name), shard };
  });
}

function checkShards(
  { name: graph, model }: GraphConfig,
  shards: number,
  names: readonly string[],
  threads: number,
  problems: string[],
): void {
  const { dim, relations } = model;
  const bytes = 2 * relations.length * (dim + 1) * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > RELATION_BYTES) {
    problems.push(
      `graphs.${graph}.shards: expected 1 with ${relations.length} relations of model.dim ${dim}, seen ${shards}; shards send each other all relation ` +
        `vectors in a message of ${bytes} bytes, and at most ${RELATION_BYTES} fit`,
    );
  }
  const own = Array.from({ length: shards }, (_, index) => shardName({ graph, index }));
  for (const name of own.filter((each) => names.includes(each))) {
    problems.push(
      `graphs.${name}: expected another name, since a shard of ${graph} is called ${name} with graphs.${graph}.shards ${shards}`,
    );
  }
  if (threads > 1) {
    problems.push(
      `training.threads: expected 1 with graphs.${graph}.shards ${shards}, seen ${threads}; a shard trains in one thread`,
    );
  }
}

/** A graph's relations in the order of its model, TwHIN's first, then by name: entity types and the keys of the store follow from it. */
function inOrder(relations: readonly Relation[]): Relation[] {
  const place = ({ name }: Relation) => {
    const at = RELATIONS.findIndex((each) => each.name === name);
    return at < 0 ? RELATIONS.length : at;
  };
  return relations.toSorted((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1));
}

/** The sections of the file are the slices of the components. */
function modelOf(
  { model: section, training: { batchEdges, lingerMs, ...training }, limits }: ConfigFile,
  relations: readonly Relation[],
): Pick<GraphConfig, 'model' | 'trainer'> {
  const { relationWeights, ...model } = section;
  const { dim, scorer } = model;
  const types = [...new Set(relations.flatMap(({ lhs, rhs }) => [lhs, rhs]))];
  return {
    model: { dim, scorer, entityTypes: types, relations: [...relations] },
    trainer: {
      ...training,
      model,
      maxRows: limits.maxEntities + 2 * relations.length,
      maxKnownEdges: limits.maxKnownEdges,
      entityTypes: types,
      relations: relations.map(({ name, lhs, rhs }) => ({
        name,
        lhsType: types.indexOf(lhs),
        rhsType: types.indexOf(rhs),
        weight: relationWeights[name] ?? 1,
      })),
      // Uniform in ±s has variance s²/3: this gives a length of about 1.
      initScale: training.initScale ?? Math.sqrt(3 / dim),
      evaluatedCandidates: EVALUATED_CANDIDATES,
    },
  };
}

function checkRecipe(
  { model, training }: ConfigFile,
  relations: readonly string[],
  problems: string[],
): void {
  const { loss, margin, relationWeights } = model;
  if (loss === 'margin' && margin <= 0)
    problems.push(`model.margin: expected a number above 0 with loss margin, seen ${margin}`);
  const { kernel, threads, ownUpdates, updatesPerEdge, uniformNegatives, inBatchNegatives } = training;
  if (threads > 1 && (kernel === 'reference' || kernel === 'tfjs'))
    problems.push(`training.threads: expected 1 with kernel ${kernel}, seen ${threads}`);
  if (ownUpdates > updatesPerEdge)
    problems.push(
      `training.ownUpdates: expected at most training.updatesPerEdge, which is ${updatesPerEdge}, seen ${ownUpdates}`,
    );
  if (uniformNegatives === 0 && !inBatchNegatives)
    problems.push('training.uniformNegatives: expected at least 1 without in-batch negatives, seen 0');
  for (const name of Object.keys(relationWeights).filter((each) => !relations.includes(each))) {
    problems.push(
      `model.relationWeights: expected names of relations, ${relations.join(', ')}, seen "${name}"`,
    );
  }
}

function namesOf(list: readonly { readonly name: string }[]): string[] {
  return list.map(({ name }) => name);
}

function checkUnique(key: string, names: readonly string[], problems: string[]): void {
  for (const name of new Set(names.filter((each, i) => names.indexOf(each) !== i))) {
    problems.push(`${key}: expected each name once, seen "${name}" again`);
  }
}

/** Two topics with one name on the cluster would be one topic; a name that is too long would be none. */
function checkNamesOnCluster(
  { topics, topicPrefix, graphs }: Pick<Config, 'topics' | 'topicPrefix' | 'graphs'>,
  problems: string[],
): void {
  const written = writtenTopics(graphs, topicPrefix).map(({ name }) => name);
  for (const name of written) {
    const problem = nameProblem(name);
    if (problem !== undefined) problems.push(`topicPrefix: ${problem}`);
  }
  const readAs = new Map<string, string>();
  for (const topic of topics) {
    const full = fullName(topicPrefix, topic);
    const [problem, other] = [nameProblem(full), readAs.get(full)];
    if (problem !== undefined) problems.push(`topics.${topic.name}: ${problem}`);
    if (written.includes(full))
      problems.push(`topics.${topic.name}: expected a topic of events, seen ${full}, to which twhin writes`);
    if (other !== undefined && other !== topic.name)
      problems.push(`topics.${topic.name}: expected another topic than that of ${other}, seen ${full} again`);
    readAs.set(full, topic.name);
  }
}

function pick<T extends { readonly name: string }>(
  key: string,
  names: readonly string[] | undefined,
  from: readonly T[],
  problems: string[],
): T[] {
  if (names === undefined) {
    problems.push(`${key}: expected names, seen nothing`);
    return [];
  }
  checkUnique(key, names, problems);
  return names.flatMap((name) => {
    const found = from.find((each) => each.name === name);
    if (!found) problems.push(`${key}: expected one of ${namesOf(from).join(', ')}, seen "${name}"`);
    return found ? [found] : [];
  });
}

/** Freezes plain objects and arrays, however deep. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
}

/**
 * Each graph once and whole, with the name that its topics have: for whoever reads the topics alone. A graph with shards has
 * room for the entities of all of them. Nothing is ever stored in its folder.
 */
export function wholeGraphs(graphs: readonly GraphConfig[]): GraphConfig[] {
  const firsts = graphs.filter(
    (graph, i) => graphs.findIndex((other) => graphOf(other) === graphOf(graph)) === i,
  );
  return firsts.map(({ shard, ...graph }) => {
    if (shard === undefined) return graph;
    return {
      ...graph,
      name: shard.graph,
      folder: join(graph.folder, '..', shard.graph),
      trainer: { ...graph.trainer, maxRows: graph.trainer.maxRows * shard.count },
    };
  });
}
