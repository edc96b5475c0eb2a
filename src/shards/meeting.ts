import type { FollowedLog, Follower, Message, RecordRun, Sink, SourceRecord } from '../pipeline/ports.ts';

/** All shards of a graph in one process, without a broker: each reads the whole log, in step, and gets at once what others send. */
export class ShardMeeting {
  /** Name of the topic by which the shards meet. */
  readonly topic: string;
  readonly #followers = new Map<number, Follower>();
  /** What came for a shard before it began to follow. */
  readonly #early = new Map<number, RecordRun[]>();
  readonly #offsets: number[];
  /** By shard: runs that it has room after; Infinity once it has left. */
  readonly #arrived: number[];
  /** Shards that wait for the others to come as far. */
  #waiting: { readonly runs: number; resolve(): void }[] = [];

  constructor(topic: string, count: number) {
    this.topic = topic;
    this.#offsets = Array.from({ length: count }, () => 0);
    this.#arrived = Array.from({ length: count }, () => 0);
  }

  /** The log as shard `index` follows it: in step with the others, and with the partition of what they send. */
  log(index: number, log: FollowedLog): FollowedLog {
    return {
      ranges: (topics) => log.ranges(topics),
      topicIds: (topics) => log.topicIds(topics),
      follow: (topics, follower) => {
        this.#followers.set(index, follower);
        for (const run of this.#early.get(index) ?? []) void follower.take(run);
        const stepping: Follower = {
          position: (topic, partition) => follower.position(topic, partition),
          failed: (error) => follower.failed(error),
          take: async (run) => {
            await follower.take(run);
            await this.#stepped(index);
          },
        };
        return log.follow(topics, stepping);
      },
      close: async () => {
        // The others go on without the shard.
        this.#followers.delete(index);
        this.#arrived[index] = Number.POSITIVE_INFINITY;
        this.#advance();
        await log.close();
      },
    };
  }

  /** Where shard `index` sends: messages of the meeting's topic reach the shard whose partition their key names. */
  sink(partitionOf: (key: string) => number): Sink {
    return {
      publish: async (messages) => {
        for (const message of messages) if (message.topic === this.topic) this.#deliver(message, partitionOf);
      },
      takeOver: async () => {},
      stop: async () => {},
    };
  }

  #deliver({ topic, key, value, headers }: Message, partitionOf: (key: string) => number): void {
    const partition = partitionOf(String(key));
    const offset = this.#offsets[partition]!++;
    const record: SourceRecord = {
      topic,
      partition,
      offset,
      timestamp: 0,
      key: Buffer.from(String(key)),
      value: value === null ? null : Buffer.from(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, each]) => [name, Buffer.from(each)])),
    };
    const run = { topic, partition, records: [record], next: offset + 1 };
    const follower = this.#followers.get(partition);
    if (follower !== undefined) void follower.take(run);
    else this.#early.set(partition, [...(this.#early.get(partition) ?? []), run]);
  }

  /** Resolves once every shard that is still there has come as far as this one. */
  #stepped(index: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const runs = this.#arrived[index]! + 1;
    this.#arrived[index] = runs;
    this.#waiting.push({ runs, resolve });
    this.#advance();
    return promise;
  }

  #advance(): void {
    const all = Math.min(...this.#arrived);
    const come = this.#waiting.filter(({ runs }) => runs <= all);
    this.#waiting = this.#waiting.filter(({ runs }) => runs > all);
    for (const { resolve } of come) resolve();
  }
}
