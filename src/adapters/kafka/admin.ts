import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, AssignerProtocol, type Kafka, type PartitionMetadata } from 'kafkajs';
import { RetryableError } from '../../errors/errors.ts';
import type { LogAdmin, LogInfo, TopicDeclaration, TopicState } from '../../pipeline/ports.ts';
import type { GroupReader } from '../log-errors.ts';
import { createKafka, type KafkaSettings, kafkaError, type LogLine } from './client.ts';
import { type GroupOffset, groupOffsets } from './group/offsets.ts';
import { claimantOf, holdsOn } from './group/one-reader.ts';
import { safeOffset } from './offset.ts';
import { brokerVersion } from './version.ts';

/** First offset kept and offset after the last, of each partition by number. */
export type Ranges = Map<number, { low: number; high: number }>;

/**
 * Topics of a cluster. The connection is made on first use and made anew after any failure: one that ever asked
 * for a topic fails for all topics once that one is deleted.
 */
export class KafkaAdmin implements LogAdmin {
  readonly #settings: KafkaSettings;
  readonly #kafka: Kafka;
  #connection: Promise<Admin> | undefined;

  constructor(settings: KafkaSettings, log: LogLine) {
    this.#settings = settings;
    this.#kafka = createKafka(settings, log);
  }

  async info(): Promise<LogInfo> {
    const cluster = await this.#ask('asking for the cluster', (admin) => admin.describeCluster());
    const nodes = cluster.brokers.map(({ nodeId, host, port }) => `${nodeId} at ${host}:${port}`);
    const version = await brokerVersion(this.#settings);
    return { kind: 'kafka', address: this.#settings.brokers.join(','), version, nodes };
  }

  async missing(names: readonly string[]): Promise<string[]> {
    const known = new Set(await this.#ask('listing the topics', (admin) => admin.listTopics()));
    return names.filter((name) => !known.has(name));
  }

  async describe(names: readonly string[]): Promise<TopicState[]> {
    const missing = new Set(await this.missing(names));
    const topics = names.filter((name) => !missing.has(name));
    if (topics.length === 0) {
      return [];
    }
    return this.#ask('describing topics', async (admin) => {
      const metadata = await admin.fetchTopicMetadata({ topics });
      const configs = await admin.describeConfigs({
        includeSynonyms: false,
        resources: topics.map((name) => ({ type: TOPIC_RESOURCE, name })),
      });
      const settings = new Map(configs.resources.map((one) => [one.resourceName, one.configEntries]));
      const shapes = new Map(metadata.topics.map((one) => [one.name, one.partitions]));
      return topics.map((name) => ({
        name,
        partitions: shapes.get(name)?.length ?? 0,
        replicationFactor: shapes.get(name)?.[0]?.replicas.length ?? 0,
        configs: Object.fromEntries(
          (settings.get(name) ?? []).map(({ configName, configValue }) => [configName, configValue]),
        ),
      }));
    });
  }

  /** Where each partition of a topic that exists begins and ends, now. */
  async ranges(topic: string): Promise<Ranges> {
    const offsets = await this.#ask(`asking for the offsets of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    );
    return new Map(
      offsets.map(({ partition, low, high }) => [
        partition,
        { low: safeOffset(low, topic), high: safeOffset(high, topic) },
      ]),
    );
  }

  /** By partition of a topic that exists, the first offset dated at `timeMs` or later; its end where there is none. */
  async offsetsAt(topic: string, timeMs: number): Promise<Record<number, number>> {
    const offsets = await this.#ask(`asking for the offsets of ${topic} at a time`, (admin) =>
      admin.fetchTopicOffsetsByTimestamp(topic, timeMs),
    );
    return Object.fromEntries(offsets.map(({ partition, offset }) => [partition, safeOffset(offset, topic)]));
  }

  /** @throws RetryableError when there is no such topic. */
  async partitions(topic: string): Promise<PartitionMetadata[]> {
    if ((await this.missing([topic])).length > 0) {
      const at = this.#settings.brokers.join(',');
      throw new RetryableError(
        'topic-missing',
        `no topic ${topic} at ${at}; create it with: twhin topics apply`,
      );
    }
    const { topics } = await this.#ask(`asking for the partitions of ${topic}`, (admin) =>
      admin.fetchTopicMetadata({ topics: [topic] }),
    );
    return topics[0]?.partitions ?? [];
  }

  /** What a group has committed, for every partition of topics that exist. */
  async groupOffsets(groupId: string, topics: readonly string[]): Promise<GroupOffset[]> {
    return this.#ask(`asking for the offsets of group ${groupId}`, (admin) =>
      groupOffsets(admin, groupId, topics),
    );
  }

  /** Who has partitions of a group. */
  async groupReader(groupId: string): Promise<GroupReader | undefined> {
    const { groups } = await this.#ask(`asking for the members of group ${groupId}`, (admin) =>
      admin.describeGroups([groupId]),
    );
    const reader = groups[0]?.members.find(({ memberAssignment }) => {
      const assigned = AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment ?? {};
      return Object.keys(assigned).length > 0;
    });
    if (reader === undefined) return undefined;
    const { memberId, memberMetadata, clientId, clientHost: host } = reader;
    return { clientId, host, holdsOn: holdsOn(claimantOf(memberId, memberMetadata)) };
  }

  async create(topics: readonly TopicDeclaration[]): Promise<void> {
    const missing = new Set(await this.missing(topics.map(({ name }) => name)));
    for (const { name, partitions, replicationFactor, configs } of topics) {
      if (missing.has(name)) {
        await this.#ask(`creating topic ${name}`, async (admin) => {
          await admin.createTopics({
            // kafkajs's own wait fails where a busy broker has not heard of the topic yet that it just took.
            waitForLeaders: false,
            topics: [
              {
                topic: name,
                numPartitions: partitions,
                // -1: the cluster's own default.
                replicationFactor: replicationFactor ?? -1,
                configEntries: entriesOf(configs),
              },
            ],
          });
          await settle(admin, name);
        });
      }
    }
  }

  async addPartitions(name: string, partitions: number): Promise<void> {
    await this.#ask(`growing topic ${name}`, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] }),
    );
  }

  /** Reads and merges first: the one request kafkajs has replaces every setting, so that compact became delete. */
  async alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void> {
    await this.#ask(`setting topic ${name}`, async (admin) => {
      const type = TOPIC_RESOURCE;
      const described = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type, name }] });
      const own = (described.resources[0]?.configEntries ?? []).filter(
        ({ configSource }) => configSource === TOPIC_CONFIG,
      );
      const merged = { ...Object.fromEntries(own.map((e) => [e.configName, e.configValue])), ...configs };
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type, name, configEntries: entriesOf(merged) }],
      });
    });
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    const admin = await connection?.catch(() => undefined);
    await admin?.disconnect();
  }

  async #ask<T>(doing: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      this.#connection ??= this.#connect();
      return await question(await this.#connection);
    } catch (error) {
      await this.close();
      throw kafkaError(doing, this.#settings, error);
    }
  }

  async #connect(): Promise<Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    return admin;
  }
}

const SETTLE_MS = 20_000;
const LOOK_EVERY_MS = 100;

/** Waits until every partition of a new topic has a leader. @throws RetryableError when that takes too long. */
async function settle(admin: Admin, name: string): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  while (!(await hasLeaders(admin, name))) {
    if (Date.now() > deadline) {
      throw new RetryableError(
        'topic-slow',
        `topic ${name} was created, but ${SETTLE_MS / 1000} s later its partitions have no leaders; look at the brokers`,
      );
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function hasLeaders(admin: Admin, name: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
  } catch (error) {
    const type = error instanceof Error && 'type' in error ? error.type : undefined;
    if (type === 'UNKNOWN_TOPIC_OR_PARTITION' || type === 'LEADER_NOT_AVAILABLE') return false;
    throw error;
  }
}

/** `ConfigResourceTypes.TOPIC`, in the same case as the next. */
const TOPIC_RESOURCE = 2;
/** `ConfigSource.TOPIC_CONFIG`, which kafkajs declares but does not export: set on the topic itself. */
const TOPIC_CONFIG = 1;

function entriesOf(configs: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(configs).map(([name, value]) => ({ name, value }));
}
