import { expect } from 'vitest';
import { type Shard, shardOf } from '../../src/graph/shard.ts';
import { silentLog } from '../../src/log.ts';
import type { EventLog, FollowedLog, Leadership, Message, Position, Sink } from '../../src/pipeline/ports.ts';
import type { Updater } from '../../src/pipeline/updater.ts';
import { Random } from '../../src/sampling/random.ts';
import { ShardNeighbourhood } from '../../src/shards/neighbourhood.ts';
import { Router } from '../../src/shards/routing/router.ts';
import { ShardLog } from '../../src/shards/routing/shard-log.ts';
import { decodeStretch } from '../../src/shards/routing/stretch.ts';
import { DEFAULT_LIMITS } from '../../topics/index.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { Life } from '../pipeline/life.ts';
import { MemoryLog, recordOf } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';
import { MODEL, TOPICS, turns, updater } from '../pipeline/updater-fixture.ts';

/** The topic by which shards of these tests meet. */
export const EXCHANGE = 'twhin.exchange.test';
/** The topic in which shards of these tests are sent their events. */
export const EDGES = 'twhin.edges.test';
const INTERNAL: readonly string[] = [EXCHANGE, EDGES];
const NEVER = Number.POSITIVE_INFINITY;
const RELATIONS = new Set(MODEL.relations.map(({ name }) => name));

/** A log with the topics between shards: what is sent to them can be read from them, as on a broker. */
export class ExchangeLog extends MemoryLog {
  readonly #count: number;
  readonly #lows: Record<string, number> = {};

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
        for (const message of messages) if (INTERNAL.includes(message.topic)) this.#exchange(message);
      },
    };
  }

  /** The log as shard `index` reads it. */
  seenBy(index: number): FollowedLog {
    const topics = { exchangeTopic: EXCHANGE, edgesTopic: EDGES, topics: TOPICS };
    const graph = { graph: 'test', shards: this.#count, relations: RELATIONS, limits: DEFAULT_LIMITS };
    const place = { ...topics, ...graph, index };
    return new ShardLog(this.reader(), place, silentLog);
  }

  reader(): EventLog {
    return memoryReader(this, {
      anyTopic: true,
      partitions: { [EXCHANGE]: this.#count, [EDGES]: this.#count },
      lows: this.#lows,
    });
  }

  /** Retention takes everything that was routed to a shard. */
  cut(shard: number): void {
    this.#lows[`${EDGES}/${shard}`] = this.#lengthOf(EDGES, shard);
  }

  #exchange(message: Message): void {
    const partition = shardOf(String(message.key), this.#count);
    const offset = this.#lengthOf(message.topic, partition);
    this.records.push(recordOf(message, { partition, offset, timestamp: 5_000 }));
  }

  #lengthOf(topic: string, partition: number): number {
    return this.records.filter((each) => each.topic === topic && each.partition === partition).length;
  }
}

/** All shards of a graph on memory alone, each with a store and a group of its own. */
export class Shards {
  readonly log: ExchangeLog;
  readonly stores: readonly MemoryStore[];
  readonly #groups: readonly Leadership[];
  #now = 1_000;
  /** What the routers of the past have told their group. */
  readonly #committed = new Map<string, Position>();
  #lives = 0;
  /** Edges that starts trained once more, from the journals of processes that were killed. */
  journalled = 0;

  constructor(count: number) {
    this.log = new ExchangeLog(count);
    this.stores = Array.from({ length: count }, () => new MemoryStore());
    this.#groups = this.stores.map(() => new MemoryLog().leadership());
  }

  shard(index: number): Shard {
    return { graph: 'test', index, count: this.stores.length };
  }

  /** A process of shard `index`. */
  updater(index: number, life = new Life(), recoverMs = NEVER): Updater {
    const plain = this.log.sink();
    const slow = Random.seeded(this.#lives);
    return updater(this.log, life.store(this.stores[index]!), {
      shard: this.shard(index),
      neighbourhood: new ShardNeighbourhood({
        ...{ shard: this.shard(index), topic: EXCHANGE, edgesTopic: EDGES, freshRun: `run-${this.#lives++}` },
        pace: { mergeEdges: 8, mergeMs: NEVER, quietMs: NEVER, wantMs: 3 },
      }),
      // A copy is asked for once some time has passed: each look at the clock takes a millisecond.
      clock: () => this.#now++,
      eventLog: this.log.seenBy(index),
      leadership: this.#groups[index]!,
      log: {
        ...silentLog,
        info: (fields) => {
          if ('journalEdges' in fields) this.journalled += Number(fields.journalEdges);
        },
      },
      sink: {
        ...plain,
        publish: async (messages) => {
          await turns(4 ** slow.below(5));
          await life.call(() => plain.publish(messages));
        },
      },
      trainer: (own) => life.trainer(own, slow),
      pace: { batchEdges: 3, commitEdges: 6, recoverMs },
    });
  }

  /** The group of routers loses where it is in a partition, or is told that everything in it is routed. */
  move(topic: string, partition: number, to: 'start' | 'end'): void {
    const ends = this.log.records.filter((each) => each.topic === topic && each.partition === partition);
    if (to === 'start') this.#committed.delete(`${topic}/${partition}`);
    else this.#committed.set(`${topic}/${partition}`, { offset: ends.length });
  }

  /** A process that routes all partitions, until it is killed. */
  router(life = new Life()): Router {
    const plain = this.log.sink();
    /** By shard and event partition: where the last stretch that went out ends. */
    const ends = new Map<string, number>();
    const checkFollowsOn = ({ topic: to, key, value }: Message) => {
      if (to !== EDGES) return;
      const { topic, partition, from, until } = decodeStretch(value && Buffer.from(value));
      const place = `${key} ${topic}/${partition}`;
      expect([place, from]).toEqual([place, ends.get(place) ?? from]);
      ends.set(place, until);
    };
    const stopped = Promise.withResolvers<void>();
    const ending = new AbortController();
    return new Router({
      graph: 'test',
      shards: this.stores.length,
      relations: RELATIONS,
      topics: TOPICS,
      limits: DEFAULT_LIMITS,
      edgesTopic: EDGES,
      shares: {
        work: async (on) => {
          const positions = new Map(this.#committed);
          const work = on({
            ended: ending.signal,
            has: () => true,
            position: (topic, partition) => positions.get(`${topic}/${partition}`),
            done: (routed) => {
              for (const [topic, partitions] of Object.entries(routed))
                for (const [partition, position] of Object.entries(partitions))
                  this.#committed.set(`${topic}/${partition}`, position);
            },
          });
          await Promise.race([stopped.promise, work]);
          ending.abort();
          await work;
        },
        trouble: undefined,
        stop: async () => stopped.resolve(),
      },
      eventLog: this.log.reader(),
      sink: {
        ...plain,
        publish: (messages) => {
          for (const message of messages) checkFollowsOn(message);
          return life.call(() => plain.publish(messages));
        },
      },
      ...{ reread: [], goOn: [] },
      begin: {},
      markMs: 2,
      deadLetter: () => ({ topic: 'dead', key: null, value: null, headers: {} }),
      log: silentLog,
      clock: () => 1_000,
    });
  }
}
