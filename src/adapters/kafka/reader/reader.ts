import type { Kafka } from 'kafkajs';
import { RetryableError } from '../../../errors/errors.ts';
import type {
  LogReader,
  Offsets,
  PartitionRange,
  Stretch,
  StretchReading,
  Trouble,
} from '../../../pipeline/ports.ts';
import { readerClosed, topicsMissing } from '../../log-errors.ts';
import { KafkaAdmin } from '../admin.ts';
import { createKafka, type KafkaSettings, kafkaError, type LogLine } from '../client.ts';
import { topicIds } from '../topic-ids.ts';
import { clusterOf, connectedBroker } from './cluster.ts';
import { fetchFrom } from './fetch.ts';
import { type Cluster, KafkaReading, type Leaders } from './reading.ts';

export interface ReaderOptions {
  /** Called at each failure while cursors wait; the log has a line of each too. */
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Read ahead for each cursor; by default its share of 32 MiB, and no more than 4 MiB. */
  readonly aheadBytes?: number;
  /** Asked of the brokers at a time for each cursor; by default half of what is read ahead, and no more than 1 MiB. */
  readonly fetchBytes?: number;
}

const ALL_AHEAD_BYTES = 32 << 20;
const MIN_AHEAD_BYTES = 256 << 10;
const MAX_AHEAD_BYTES = 4 << 20;
const MAX_FETCH_BYTES = 1 << 20;

/**
 * Reads parts of topics straight from the partitions' leaders. The other way would be a throw-away consumer group with
 * its offsets set by hand: kafkajs then resets an offset out of range without a word, drops what it has fetched of a
 * partition that is paused, loses its place in the group when the event loop is held up, and reads with the faults
 * named in kafka-batches.ts; it also asks for a right (group READ, DELETE) that reading does not need. Fetching itself
 * is one request, sent over kafkajs's connections.
 */
export class KafkaReader implements LogReader {
  readonly #settings: KafkaSettings;
  readonly #options: ReaderOptions;
  readonly #log: LogLine;
  readonly #kafka: Kafka;
  readonly #admin: KafkaAdmin;
  readonly #readings = new Set<KafkaReading>();
  #closed = false;

  constructor(settings: KafkaSettings, options: ReaderOptions, log: LogLine) {
    this.#settings = settings;
    this.#options = options;
    this.#log = log;
    this.#kafka = createKafka(settings, log);
    this.#admin = new KafkaAdmin(settings, log);
  }

  async ranges(topics: readonly string[]): Promise<PartitionRange[]> {
    await this.#refuseMissing(topics);
    const ranges: PartitionRange[] = [];
    for (const topic of topics) {
      const held = [...(await this.#admin.ranges(topic))].sort(([a], [b]) => a - b);
      ranges.push(...held.map(([partition, range]) => ({ topic, partition, ...range })));
    }
    return ranges;
  }

  async offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets> {
    await this.#refuseMissing(topics);
    const offsets: Offsets = {};
    for (const topic of topics) {
      offsets[topic] = await this.#admin.offsetsAt(topic, timeMs);
    }
    return offsets;
  }

  topicIds(topics: readonly string[]): Promise<Record<string, string>> {
    return topicIds(this.#kafka, this.#settings, topics);
  }

  async read(stretches: readonly Stretch[]): Promise<StretchReading> {
    if (this.#closed) {
      throw readerClosed();
    }
    const share = Math.floor(ALL_AHEAD_BYTES / Math.max(1, stretches.length));
    const { aheadBytes = Math.min(MAX_AHEAD_BYTES, Math.max(MIN_AHEAD_BYTES, share)) } = this.#options;
    const { fetchBytes = Math.min(MAX_FETCH_BYTES, Math.ceil(aheadBytes / 2)) } = this.#options;
    const onTrouble = (trouble: Trouble) => this.#onTrouble(trouble);
    const reading = new KafkaReading(this.#cluster(), stretches, { aheadBytes, fetchBytes, onTrouble });
    this.#readings.add(reading);
    return {
      cursors: reading.cursors,
      close: async () => {
        await reading.close();
        this.#readings.delete(reading);
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#readings].map((reading) => reading.close()));
    await this.#admin.close();
  }

  #onTrouble(trouble: Trouble): void {
    const { attempt, brokers, reason } = trouble;
    this.#log(
      attempt === 1 ? 'warn' : 'debug',
      `reading from ${brokers} failed and is tried again: ${reason}`,
    );
    this.#options.onTrouble?.(trouble);
  }

  async #refuseMissing(topics: readonly string[]): Promise<void> {
    const missing = await this.#admin.missing(topics);
    if (missing.length > 0) {
      throw topicsMissing(missing, this.#settings.brokers.join(','));
    }
  }

  #cluster(): Cluster {
    return {
      address: this.#settings.brokers.join(','),
      missing: (topics) => this.#admin.missing(topics),
      leaders: (topics) => this.#leaders(topics),
      range: async (topic, partition) => {
        const range = (await this.#admin.ranges(topic)).get(partition);
        if (range === undefined) {
          throw new RetryableError('partition-unknown', `${topic}/${partition} is not there at the moment`);
        }
        return range;
      },
      compacted: async (topic) => {
        const [state] = await this.#admin.describe([topic]);
        return state?.configs['cleanup.policy']?.includes('compact') ?? false;
      },
    };
  }

  async #leaders(topics: readonly string[]): Promise<Leaders> {
    const cluster = clusterOf(this.#kafka);
    try {
      await cluster.connect();
      await cluster.addMultipleTargetTopics([...topics]);
    } catch (error) {
      await cluster.disconnect();
      throw kafkaError('connecting', this.#settings, error);
    }
    return {
      of: (topic) => {
        const partitions = cluster.findTopicPartitionMetadata(topic);
        return partitions
          .toSorted((a, b) => a.partitionId - b.partitionId)
          .map(({ leader }) => String(leader));
      },
      fetch: async (leader, wanted, waitMs) =>
        fetchFrom(await connectedBroker(cluster, leader), wanted, waitMs),
      close: () => cluster.disconnect(),
    };
  }
}
