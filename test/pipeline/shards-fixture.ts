import { type Shard, shardOf } from '../../src/graph/shard.ts';
import { ownPartition } from '../../src/pipeline/exchange/agreement.ts';
import type { FollowedLog, Leadership, Message, Sink } from '../../src/pipeline/ports.ts';
import type { Updater } from '../../src/pipeline/updater.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { Life } from './life.ts';
import { MemoryLog } from './memory-log.ts';
import { memoryReader } from './memory-reader.ts';
import { updater } from './updater-fixture.ts';

/** The topic by which shards of these tests meet. */
export const EXCHANGE = 'twhin.exchange.test';

/** A log with an exchange topic: what shards send to it can be read from it, as on a broker. */
export class ExchangeLog extends MemoryLog {
  readonly #count: number;

  constructor(count: number) {
    super();
    this.#count = count;
  }

  override sink(): Sink {
    const plain = super.sink();
    return {
      ...plain,
      publish: async (messages) => {
        await plain.publish(messages);
        for (const message of messages) if (message.topic === EXCHANGE) this.#exchange(message);
      },
    };
  }

  /** The log as shard `index` reads it. */
  seenBy(index: number): FollowedLog {
    const reader = memoryReader(this, { anyTopic: true, partitions: { [EXCHANGE]: this.#count } });
    return ownPartition(reader, EXCHANGE, index);
  }

  #exchange({ topic, key, value, headers }: Message): void {
    const partition = shardOf(String(key), this.#count);
    const offset = this.records.filter((each) => each.topic === topic && each.partition === partition).length;
    this.records.push({
      ...{ topic, partition, offset, timestamp: 5_000 },
      key: Buffer.from(String(key)),
      value: value && Buffer.from(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
    });
  }
}

/** All shards of a graph on memory alone, each with a store and a group of its own. */
export class Shards {
  readonly log: ExchangeLog;
  readonly stores: readonly MemoryStore[];
  readonly #groups: readonly Leadership[];
  #lives = 0;

  constructor(count: number) {
    this.log = new ExchangeLog(count);
    this.stores = Array.from({ length: count }, () => new MemoryStore());
    this.#groups = this.stores.map(() => new MemoryLog().leadership());
  }

  shard(index: number): Shard {
    return { graph: 'test', index, count: this.stores.length };
  }

  /** A process of shard `index`. */
  updater(index: number, life = new Life()): Updater {
    const plain = this.log.sink();
    return updater(this.log, life.store(this.stores[index]!), {
      shard: this.shard(index),
      exchange: {
        topic: EXCHANGE,
        pace: { mergeEdges: 8, mergeMs: Number.POSITIVE_INFINITY },
        freshRun: `run-${this.#lives++}`,
      },
      eventLog: this.log.seenBy(index),
      leadership: this.#groups[index]!,
      sink: { ...plain, publish: (messages) => life.call(() => plain.publish(messages)) },
      pace: { batchEdges: 3, commitEdges: 6 },
    });
  }
}
