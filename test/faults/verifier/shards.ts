import { Partitioners } from 'kafkajs';
import { readLog, type TopicRecord } from '../../e2e/topic-reader.ts';
import { ABORTED } from '../load/transactions.ts';
import {
  compareLetters,
  compareOffsets,
  compareRelations,
  compareSteps,
  compareStore,
  compareTopic,
  counted,
  countsDiffer,
  differs,
  some,
} from './compare.ts';
import { readStoreBytes, type StoreBytes } from './store-bytes.ts';
import { GRAPHS, type Truth, truthOf } from './truth.ts';
import { databaseOf, lagProblems } from './verify.ts';

const GRAPH = 'engagement';

/** A graph in shards at rest, everything consumed, trained and published. */
export interface ShardedDeployment {
  readonly brokers: string;
  readonly prefix: string;
  /** By shard: the folder of the stores in which its live one is. */
  readonly states: readonly string[];
  /** The code that a record must be rejected with; undefined: the record is good. */
  codeOf(record: TopicRecord): string | undefined;
}

/** What a parcel says of itself, decoded here from the description of its bytes alone. */
export interface ParcelBytes {
  readonly to: number;
  readonly from: number;
  readonly run: string;
  readonly first: number;
  readonly last: number;
  readonly gradients: number;
  readonly vectors: number;
  /** Names of copies without a vector. */
  readonly wanted: number;
}

/** The shard that an entity belongs to: the partition that a Kafka client puts its key into. */
export function ownerOf(entity: string, count: number): number {
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
    ...{ partitionId, leader: 0, partitionErrorCode: 0, replicas: [0], isr: [0], offlineReplicas: [] },
  }));
  return partitionOf({ topic: '', partitionMetadata, message: { key: entity, value: null } });
}
const partitionOf = Partitioners.DefaultPartitioner();

/** Compares every shard's store and all that the shards wrote with what was sent. @throws Error with a line for each difference. */
export async function verifyShards(deployment: ShardedDeployment): Promise<Truth> {
  const { brokers, prefix, states, codeOf } = deployment;
  const count = states.length;
  const topics = GRAPHS[GRAPH].topics.map((name) => `${prefix}${name}`);
  const written = [`embeddings.${GRAPH}`, `model.${GRAPH}`, 'dead-letter'].map((name) => `${prefix}${name}`);
  const log = await readLog(brokers, [...topics, ...written]);
  const recordsOf = (topic: string) => log.records.filter((record) => record.topic === topic);
  const records = topics.flatMap(recordsOf).filter(({ headers }) => headers[ABORTED] === undefined);
  const truth = truthOf(GRAPH, prefix, records, (record) => codeOf(record) !== undefined);
  const [embeddings = [], model = [], letters = []] = written.map(recordsOf);
  const problems: string[] = [];
  for (const [shard, state] of states.entries()) {
    const stored = await readStoreBytes(databaseOf(state, `${GRAPH}-${shard}`));
    const owns = (entity: string) => ownerOf(entity, count) === shard;
    const own = { ...stored, entities: filtered(stored.entities, owns) };
    const found = [
      ...compareStore(stored, truthOfShard(truth, owns)),
      ...compareOffsets(own, new Map([...log.ends].filter(([topic]) => topics.includes(topic)))),
      ...(await lagProblems({ brokers, prefix }, `${GRAPH}-${shard}`, topics)),
      ...compareOwnCounts(stored, truth, owns),
      ...compareTopic(
        own,
        embeddings.filter(({ key }) => owns(String(key))),
      ),
      ...(shard === 0 ? compareRelations(stored, model) : []),
      ...compareSpace(stored, embeddings),
    ];
    problems.push(...found.map((problem) => `shard ${shard}: ${problem}`));
  }
  const bad = records.flatMap((record) => {
    const code = codeOf(record);
    return code === undefined ? [] : [{ ...record, code, graph: GRAPH }];
  });
  problems.push(
    ...compareSteps(embeddings),
    ...compareSteps(model),
    ...compareLetters(letters, bad).problems.map((problem) => `dead letters: ${problem}`),
  );
  if (problems.length > 0)
    throw new Error(`what is there is not what it must be:\n  ${problems.join('\n  ')}`);
  return truth;
}

/** Every parcel that the shards sent each other, in order within its partition. */
export async function readParcels(brokers: string, prefix: string): Promise<ParcelBytes[]> {
  const { records } = await readLog(brokers, [`${prefix}exchange.${GRAPH}`]);
  return records.flatMap(({ partition, value }) => (value === null ? [] : [parcelOf(partition, value)]));
}

function parcelOf(to: number, bytes: Buffer): ParcelBytes {
  const dim = bytes.readUInt16LE(6);
  const counts = [24, 28, 36, 44, 52].map((at) => bytes.readUInt32LE(at));
  const [relations = 0, gradients = 0, vectors = 0, wanted = 0, runBytes = 0] = counts;
  // A vector has its accumulator behind it.
  const run = 56 + 4 * relations + 2 * (dim * gradients + (dim + 1) * vectors);
  return {
    to,
    from: bytes.readUInt16LE(4),
    run: bytes.toString('utf8', run, run + runBytes),
    first: bytes.readDoubleLE(8),
    last: bytes.readDoubleLE(16),
    gradients,
    vectors,
    wanted,
  };
}

/** What a shard must hold of it: the edges with an end that it owns. A copy of any other entity may have come with a parcel. */
function truthOfShard(truth: Truth, owns: (entity: string) => boolean): Truth {
  const edges = filtered(truth.edges, (name) => endsOf(name).some(owns));
  const { sure, possible } = truth.entities;
  // A shard is sent the events alone that concern it, and no bad one.
  const routed = truth.ends.filter((each) => each === undefined || each.some(owns)).length;
  return {
    ...truth,
    edges,
    consumed: [routed, routed],
    rejected: [0, 0],
    // Of an event with two edges, a shard may know only the one that says nothing new.
    duplicate: [0, truth.consumed[1]],
    late: [0, truth.consumed[1]],
    entities: { sure: new Set([...sure].filter(owns)), possible },
  };
}

/** Compares the counts over all shards: the owner of an edge's lhs counts the edge, and the owner of an entity the entity. */
function compareOwnCounts(
  { head, entities }: StoreBytes,
  truth: Truth,
  owns: (entity: string) => boolean,
): string[] {
  const edges = [...truth.edges].flatMap(([name, { removed }]) =>
    removed || !owns(endsOf(name)[0]) ? [] : [name.split(' ')[1] ?? ''],
  );
  const types = [...entities.keys()].filter(owns).map((name) => name.slice(0, name.indexOf(':')));
  return [
    ...countsDiffer('own live edges', head.shard?.edges ?? {}, counted(edges)),
    ...countsDiffer('own entities', head.shard?.entities ?? {}, counted(types)),
  ];
}

/** All shards publish in one space. */
function compareSpace({ head }: StoreBytes, embeddings: readonly TopicRecord[]): string[] {
  const others = embeddings.filter(({ headers }) => headers['space'] !== head.space);
  return [
    ...differs('letters of its space', head.space?.length ?? 0, 16),
    ...some(others, ({ key, headers }) => `${key} is of the space ${headers['space']}, not ${head.space}`),
  ];
}

/** Both ends of an edge by its name; only the second may have spaces. */
function endsOf(name: string): [string, string] {
  const [lhs = '', relation = ''] = name.split(' ');
  return [lhs, name.slice(lhs.length + relation.length + 2)];
}

function filtered<T>(from: ReadonlyMap<string, T>, keep: (name: string) => boolean): Map<string, T> {
  return new Map([...from].filter(([name]) => keep(name)));
}
