import type { Connection } from '@platformatic/kafka';
import { RetryableError } from '../../../errors/errors.ts';
import type {
  EventLog,
  Follower,
  Following,
  Offsets,
  PartitionRange,
  Positions,
  Stretch,
  Trouble,
} from '../../../pipeline/ports.ts';
import { agreedIn } from '../../agreed.ts';
import { type Failure, retrying, troubleOf } from '../../backoff.ts';
import { follow } from '../../follow.ts';
import { leaderless, readerClosed } from '../../log-errors.ts';
import { KafkaAdmin, printedId } from '../admin.ts';
import { Brokers } from '../brokers.ts';
import { kafkaError, NOT_THERE, refuseDenied } from '../failure.ts';
import { addressOf, type KafkaSettings, type LogLine } from '../settings.ts';
import { epochEnds } from './epochs.ts';
import { fetchFrom } from './fetch.ts';
import { type Cluster, FetchLoop, type Leaders, NOBODY } from './fetch-loop.ts';

export interface LogOptions {
  /** Called at each failure while cursors and followers wait. */
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Most bytes read ahead for all partitions together; 32 MiB by default. */
  readonly aheadBytes?: number;
  /** Bytes requested at a time for each partition; by default half of its share of `aheadBytes`, and 1 MiB at most. */
  readonly fetchBytes?: number;
  /** About how many bytes of records are handed over at a time; by default 64 KiB, and `fetchBytes` at most. */
  readonly handOverBytes?: number;
}

const ALL_AHEAD_BYTES = 32 << 20;
const MAX_AHEAD_BYTES = 4 << 20;
const MAX_FETCH_BYTES = 1 << 20;
/** More than the reader has room for would wait as objects, which the garbage collector copies for as long as they wait. */
const HAND_OVER_BYTES = 64 << 10;
/** How often followed topics are checked for added partitions. */
const COUNT_MS = 5_000;

/**
 * Topics of Kafka, read from the leaders of their partitions. A live updater, a standby, a replay and a restore all read
 * through this class. Reading joins no group: a group says who may write, and needs a right that reading does not.
 */
export class KafkaLog implements EventLog {
  readonly #settings: KafkaSettings;
  readonly #options: LogOptions;
  readonly #log: LogLine;
  readonly #admin: KafkaAdmin;
  readonly #loops = new Set<FetchLoop>();
  readonly #closing = new AbortController();

  constructor(settings: KafkaSettings, options: LogOptions, log: LogLine) {
    this.#settings = settings;
    this.#options = options;
    this.#log = log;
    this.#admin = new KafkaAdmin(settings);
  }

  async ranges(topics: readonly string[]): Promise<PartitionRange[]> {
    await this.#admin.refuseMissing(topics);
    const ranges: PartitionRange[] = [];
    for (const topic of topics) ranges.push(...(await this.#admin.ranges(topic)));
    return ranges;
  }

  async offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets> {
    await this.#admin.refuseMissing(topics);
    const offsets: Offsets = {};
    for (const topic of topics) offsets[topic] = await this.#admin.offsetsAt(topic, timeMs);
    return offsets;
  }

  topicIds(topics: readonly string[]): Promise<Record<string, string>> {
    return this.#admin.topicIds(topics);
  }

  async read(stretches: readonly Stretch[]) {
    const loop = this.#open(stretches);
    return { cursors: loop.cursors, close: () => this.#end(loop) };
  }

  async follow(topics: readonly string[], follower: Follower): Promise<Following> {
    return follow(this, topics, follower, {
      ranges: await this.#untilAnswered(() => this.ranges(topics)),
      lookMs: COUNT_MS,
      closing: this.#closing.signal,
      added: ({ topic, partition }) =>
        this.#log('info', `${topic} has a new partition, ${partition}, which is read from its start`),
    });
  }

  agreed(positions: Positions): Promise<Positions> {
    const topics = Object.keys(positions);
    return this.#untilAnswered(async () => {
      const ranges = await this.ranges(topics);
      const leaders = await leadersOf(this.#settings, topics);
      try {
        return await agreedIn(ranges, positions, async ({ topic, partition }, epoch) => {
          const { leader, epoch: currentEpoch } = leaders.of(topic)?.partitions[partition] ?? NOBODY;
          if (leader === undefined) throw leaderless([`${topic}/${partition}`]);
          return (await leaders.epochEnds(leader, [{ topic, partition, currentEpoch, epoch }]))[0]!;
        });
      } finally {
        await leaders.close();
      }
    });
  }

  partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    return this.#admin.partitionCounts(topics);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // The admin at once: a question to a broker that is frozen must not hold up the loops behind it.
    await Promise.all([this.#admin.close(), ...[...this.#loops].map((loop) => this.#end(loop))]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(stretches: readonly Stretch[]): FetchLoop {
    if (this.#closing.signal.aborted) throw readerClosed();
    const { aheadBytes: all = ALL_AHEAD_BYTES } = this.#options;
    const share = Math.floor(all / Math.max(1, stretches.length));
    const aheadBytes = Math.min(MAX_AHEAD_BYTES, Math.max(1, share));
    const { fetchBytes = Math.min(MAX_FETCH_BYTES, Math.ceil(aheadBytes / 2)) } = this.#options;
    const { handOverBytes = Math.min(HAND_OVER_BYTES, fetchBytes) } = this.#options;
    const onTrouble = (trouble: Trouble) => this.#trouble(trouble);
    const options = { aheadBytes, fetchBytes, handOverBytes, onTrouble };
    const loop = new FetchLoop(this.#cluster(), stretches, options);
    this.#loops.add(loop);
    return loop;
  }

  async #end(loop: FetchLoop): Promise<void> {
    await loop.close();
    this.#loops.delete(loop);
  }

  /** Repeats a request until it is answered. @throws FatalError, or RetryableError `stopped`. */
  #untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    const onTrouble = (failure: Failure) => this.#trouble(troubleOf(addressOf(this.#settings), failure));
    return retrying(ask, { signal, onTrouble }).catch((error) => {
      throw signal.aborted ? readerClosed() : error;
    });
  }

  #trouble(trouble: Trouble): void {
    const { attempt, brokers, reason } = trouble;
    const line = `reading from ${brokers} failed and is tried again: ${reason}`;
    this.#log(attempt === 1 ? 'warn' : 'debug', line);
    this.#options.onTrouble?.(trouble);
  }

  #cluster(): Cluster {
    const settings = this.#settings;
    return {
      address: addressOf(settings),
      leaders: (topics) => leadersOf(settings, topics),
      range: async (topic, partition) => {
        const range = (await this.#admin.ranges(topic)).find((each) => each.partition === partition);
        if (range === undefined) {
          throw new RetryableError('broker-answered', `${topic}/${partition} is not there at the moment`);
        }
        return range;
      },
      topicId: async (topic) => (await this.#admin.topicIds([topic]))[topic],
      compacted: async (topic) => {
        const [state] = await this.#admin.describe([topic]);
        return state?.configs['cleanup.policy']?.includes('compact') ?? false;
      },
    };
  }
}

async function leadersOf(settings: KafkaSettings, topics: readonly string[]): Promise<Leaders> {
  const doing = 'looking up the leaders of partitions';
  const brokers = new Brokers(settings);
  try {
    const { topics: known } = await brokers.metadata(topics);
    refuseDenied(doing, settings, 'DESCRIBE', known);
    const there = known.filter(({ errorCode }) => errorCode !== NOT_THERE);
    const leaders = new Map(
      there.map(({ name, topicId, partitions }) => [
        name,
        {
          id: printedId(topicId),
          partitions: partitions
            .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
            .map(({ leaderId, leaderEpoch: epoch }) =>
              leaderId < 0 ? NOBODY : { leader: String(leaderId), epoch },
            ),
        },
      ]),
    );
    const ask = async <T>(what: string, leader: string, question: (of: Connection) => Promise<T>) => {
      try {
        const connection = await brokers.node(Number(leader));
        if (connection === undefined) throw new RetryableError('no-leader', `broker ${leader} is not there`);
        return await question(connection);
      } catch (error) {
        throw kafkaError(what, settings, error);
      }
    };
    return {
      of: (topic) => leaders.get(topic),
      epochEnds: (leader, asked) =>
        ask('asking where leader epochs end', leader, (of) => epochEnds(of, asked)),
      fetch: (leader, wanted, waitMs) =>
        ask('fetching records', leader, (of) => fetchFrom(of, wanted, waitMs)),
      close: () => brokers.close(),
    };
  } catch (error) {
    await brokers.close();
    throw kafkaError(doing, settings, error);
  }
}
