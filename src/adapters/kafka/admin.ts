import { setTimeout as sleep } from 'node:timers/promises';
import {
  ConfigResourceTypes,
  createTopicsV7,
  decodeConsumerProtocolAssignment,
  describeConfigsV4,
  describeGroupsV5,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
  ListOffsetTimestamps,
  listOffsetsV7,
  offsetFetchV8,
  ProtocolError,
} from '@platformatic/kafka';
import { RetryableError } from '../../errors/errors.ts';
import type {
  LogAdmin,
  LogInfo,
  Partition,
  PartitionRange,
  Position,
  TopicState,
} from '../../pipeline/ports.ts';
import { type Failure, retrying } from '../backoff.ts';
import { type GroupLeader, leaderless, topicsMissing } from '../log-errors.ts';
import { Brokers, GROUP, type Metadata } from './brokers.ts';
import {
  answered,
  kafkaError,
  mayPass,
  NOT_THERE,
  protocolError,
  type Rights,
  refuseDenied,
  safeOffset,
} from './failure.ts';
import { claimantOf, holdsOn } from './group/claim.ts';
import { addressOf, type KafkaSettings } from './settings.ts';

/** What a group has committed for one partition; offset -1 where it has nothing. */
export interface GroupOffset extends Partition, Position {
  readonly metadata: string | null;
}

const REQUEST_MS = 30_000;
const ATTEMPTS = 4;
const [FETCH, DESCRIBE_CLUSTER] = [1, 60];
const READ_COMMITTED = 1;
const { TOPIC } = ConfigResourceTypes;
const { EARLIEST, LATEST } = ListOffsetTimestamps;

/** Asks about the topics and groups of a cluster, a few times where a request fails, and changes topics. */
export class KafkaAdmin implements LogAdmin {
  readonly #settings: KafkaSettings;
  readonly #brokers: Brokers;

  constructor(settings: KafkaSettings) {
    this.#settings = settings;
    this.#brokers = new Brokers(settings);
  }

  /**
   * Brokers don't tell their release, so it is inferred from the requests that they support: 4.0 dropped Fetch below
   * version 4 (KIP-896), and 2.8 added DescribeCluster (KIP-700).
   */
  async info(): Promise<LogInfo> {
    return this.#ask('asking for the cluster', async (brokers) => {
      const { brokers: list } = await brokers.metadata([]);
      const nodes = list.map(({ nodeId, host, port }) => `${nodeId} at ${host}:${port}`);
      const versions = await brokers.versions(await brokers.any());
      const isNew = (versions.get(FETCH)?.min ?? 0) >= 4;
      const version = isNew ? '4.0 or newer' : versions.has(DESCRIBE_CLUSTER) ? '3.1 to 3.9' : 'not known';
      return { kind: 'kafka', address: addressOf(this.#settings), version, nodes };
    });
  }

  async missing(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const { topics } = await this.#metadata('listing the topics', names);
    const there = new Set(topics.filter(({ errorCode }) => errorCode !== NOT_THERE).map(({ name }) => name));
    return names.filter((name) => !there.has(name));
  }

  /** @throws FatalError naming the topics that are missing. */
  async refuseMissing(names: readonly string[]): Promise<void> {
    const missing = await this.missing(names);
    if (missing.length > 0) throw topicsMissing(missing, addressOf(this.#settings));
  }

  async describe(names: readonly string[]): Promise<TopicState[]> {
    const doing = 'describing topics';
    if (names.length === 0) return [];
    const there = await this.#existing(doing, names);
    if (there.length === 0) return [];
    const results = await this.#ask(doing, async (brokers) => {
      const resources = there.map(({ name }) => ({
        resourceType: TOPIC,
        resourceName: name,
        configurationKeys: null,
      }));
      const asking = describeConfigsV4.api.async(await brokers.any(), resources, false, false);
      const { results: all } = await answered(asking);
      const configured = all.map(({ resourceName: name, errorCode }) => ({ name, errorCode }));
      refuseDenied(doing, this.#settings, 'DESCRIBE_CONFIGS', configured);
      const failed = all.find(({ errorCode }) => errorCode !== 0);
      if (failed !== undefined) throw new ProtocolError(failed.errorCode, failed.errorMessage);
      return all;
    });
    const settings = new Map(results.map(({ resourceName, configs }) => [resourceName, configs]));
    return there.map(({ name, partitions }) => ({
      name,
      partitions: partitions.length,
      configs: Object.fromEntries(
        (settings.get(name) ?? []).map(({ name: key, value }) => [key, value ?? '']),
      ),
    }));
  }

  /** The present range of each partition of an existing topic, by partition. */
  async ranges(topic: string): Promise<PartitionRange[]> {
    const [lows, highs] = [await this.#offsets(topic, EARLIEST), await this.#offsets(topic, LATEST)];
    return [...highs]
      .sort(([a], [b]) => a - b)
      .map(([partition, high]) => ({ topic, partition, low: lows.get(partition) ?? 0, high }));
  }

  /** For each partition of an existing topic: the first offset with a time of `timeMs` or later, or the partition's end. */
  async offsetsAt(topic: string, timeMs: number): Promise<Record<number, number>> {
    const [found, ends] = [await this.#offsets(topic, BigInt(timeMs)), await this.#offsets(topic, LATEST)];
    const offsets: Record<number, number> = {};
    for (const [partition, end] of ends) {
      const at = found.get(partition) ?? -1;
      offsets[partition] = at >= 0 ? at : end;
    }
    return offsets;
  }

  /** The number of partitions of each topic that exists. */
  async partitionCounts(names: readonly string[]): Promise<Map<string, number>> {
    const there = await this.#existing('counting partitions', names);
    return new Map(there.map(({ name, partitions }) => [name, partitions.length]));
  }

  /** The id of each existing topic, by name, as Kafka's own tools print ids. A topic that is made again gets another id. */
  async topicIds(names: readonly string[]): Promise<Record<string, string>> {
    const there = await this.#existing('asking for the ids of topics', names);
    return Object.fromEntries(there.map(({ name, topicId }) => [name, printedId(topicId)]));
  }

  /** What a group has committed, for every partition of topics that exist. */
  async groupOffsets(groupId: string, names: readonly string[]): Promise<GroupOffset[]> {
    const doing = `asking for the offsets of group ${groupId}`;
    const topics = (await this.#existing(doing, names)).map(({ name, partitions }) => ({
      name,
      partitionIndexes: partitions.map(({ partitionIndex }) => partitionIndex),
    }));
    const group = { groupId, memberId: null, memberEpoch: -1, topics };
    const { groups } = await this.#ask(
      doing,
      async (brokers) => offsetFetchV8.api.async(await brokers.coordinator(GROUP, groupId), [group], false),
      { group: `DESCRIBE on group ${groupId}` },
    );
    return (groups[0]?.topics ?? []).flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, committedOffset, committedLeaderEpoch: epoch, metadata: note }) => ({
        topic: name,
        partition: partitionIndex,
        offset: safeOffset(committedOffset, name),
        epoch: epoch < 0 ? undefined : epoch,
        metadata: note ?? null,
      })),
    );
  }

  /** The member to which the group gave its partitions. */
  async groupLeader(groupId: string): Promise<GroupLeader | undefined> {
    const { groups } = await this.#ask(
      `asking for the members of group ${groupId}`,
      async (brokers) =>
        describeGroupsV5.api.async(await brokers.coordinator(GROUP, groupId), [groupId], false),
      { group: `DESCRIBE on group ${groupId}` },
    );
    const members = [...(groups[0]?.members.values() ?? [])];
    const leader = members.find(({ memberAssignment: bytes }) => {
      return bytes.length > 0 && decodeConsumerProtocolAssignment(bytes).assignedPartitions.length > 0;
    });
    if (leader === undefined) return undefined;
    const { memberId, memberMetadata, clientId, clientHost: host } = leader;
    return { clientId, host, holdsOn: holdsOn(claimantOf(memberId, memberMetadata)) };
  }

  async create(topics: readonly TopicState[]): Promise<void> {
    const missing = new Set(await this.missing(topics.map(({ name }) => name)));
    for (const { name, partitions, configs } of topics) {
      if (!missing.has(name)) continue;
      const create = async (brokers: Brokers) => {
        const topic = {
          name,
          numPartitions: partitions,
          replicationFactor: CLUSTER_DEFAULT,
          assignments: [],
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        };
        const made = createTopicsV7.api.async(await brokers.any(), [topic], REQUEST_MS, false);
        await made.catch((error: unknown) => {
          // Another process created the topic in between.
          if (protocolError(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
        });
        await settle(brokers, name);
      };
      const right = `CREATE on topic ${name} or on the cluster`;
      await this.#ask(`creating topic ${name}`, create, { topic: right, cluster: right });
    }
  }

  async alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void> {
    const set = Object.entries(configs).map(([key, value]) => ({
      name: key,
      configOperation: IncrementalAlterConfigOperationTypes.SET,
      value,
    }));
    const alter = async (brokers: Brokers) => {
      const topic = { resourceType: TOPIC, resourceName: name, configs: set };
      return incrementalAlterConfigsV1.api.async(await brokers.any(), [topic], false);
    };
    await this.#ask(`setting topic ${name}`, alter, { topic: `ALTER_CONFIGS on topic ${name}` });
  }

  /** Closes for good: a request in progress then fails, instead of connecting again and keeping the process alive. */
  async close(): Promise<void> {
    await this.#brokers.close();
  }

  async #existing(doing: string, names: readonly string[]) {
    const { topics } = await this.#metadata(doing, names);
    return topics.flatMap((topic) =>
      topic.errorCode === 0 && topic.name != null ? [{ ...topic, name: topic.name }] : [],
    );
  }

  async #metadata(doing: string, topics: readonly string[]): Promise<Metadata> {
    const metadata = await this.#ask(doing, (brokers) => brokers.metadata(topics));
    refuseDenied(doing, this.#settings, 'DESCRIBE', metadata.topics);
    return metadata;
  }

  /** For each partition, the offset of a time; one request to each leader. */
  async #offsets(topic: string, timestamp: bigint): Promise<Map<number, number>> {
    const doing = `asking for the offsets of ${topic}`;
    const ask = async (brokers: Brokers) => {
      const metadata = await brokers.metadata([topic]);
      const partitions = metadata.topics[0]?.partitions ?? [];
      const offsets = new Map<number, number>();
      for (const [leader, led] of Map.groupBy(partitions, ({ leaderId }) => leaderId)) {
        const connection = await brokers.node(leader);
        if (connection === undefined)
          throw leaderless(led.map(({ partitionIndex }) => `${topic}/${partitionIndex}`));
        const of = { currentLeaderEpoch: -1, timestamp };
        const asked = led.map(({ partitionIndex }) => ({ partitionIndex, ...of }));
        const question = [{ name: topic, partitions: asked }];
        const { topics } = await listOffsetsV7.api.async(connection, -1, READ_COMMITTED, question);
        for (const { partitionIndex, offset } of topics[0]?.partitions ?? [])
          offsets.set(partitionIndex, safeOffset(offset, topic));
      }
      return offsets;
    };
    return this.#ask(doing, ask, { topic: `DESCRIBE on topic ${topic}` });
  }

  /** rights: those that the question needs. */
  async #ask<T>(doing: string, question: (brokers: Brokers) => Promise<T>, rights?: Rights): Promise<T> {
    const ask = () =>
      question(this.#brokers).catch((error: unknown) => {
        this.#brokers.forgetCoordinators();
        throw error;
      });
    const again = ({ error, attempt }: Failure) => attempt < ATTEMPTS && mayPass(error);
    return retrying(ask, { mayPass: again }).catch((error) => {
      throw kafkaError(doing, this.#settings, error, rights);
    });
  }
}

/** A topic's id as Kafka's own tools print it. */
export function printedId(topicId: string): string {
  return Buffer.from(topicId.replaceAll('-', ''), 'hex').toString('base64url');
}

/** The cluster's own default number of replicas. */
const CLUSTER_DEFAULT = -1;

const SETTLE_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** Waits until every partition of a new topic has a leader. @throws RetryableError `topic-slow`. */
async function settle(brokers: Brokers, name: string): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const [topic] = (await brokers.metadata([name])).topics;
    const partitions = topic?.partitions ?? [];
    const led = partitions.length > 0 && partitions.every(({ leaderId }) => leaderId >= 0);
    if (topic?.errorCode === 0 && led) return;
    if (Date.now() > deadline) {
      const message = `topic ${name} was created, but ${SETTLE_MS / 1000} s later its partitions have no leaders; look at the brokers`;
      throw new RetryableError('topic-slow', message);
    }
    await sleep(LOOK_EVERY_MS);
  }
}
