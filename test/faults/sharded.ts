import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStore, type Stored } from '../e2e/stored.ts';
import { settledEnds } from '../e2e/topic-ends.ts';
import { readTopic, type TopicRecord } from '../e2e/topic-reader.ts';
import { type Running, until, well } from '../e2e/twhin.ts';
import { beside, Faulty, MANY_COMMITS, type RunOptions } from './deployment.ts';
import type { Dice } from './dice.ts';
import { Feeder } from './load/feeder.ts';
import { Load, type LoadOptions } from './load/load.ts';
import { ownerOf, type ParcelBytes, readParcels, verifyShards } from './verifier/shards.ts';
import { type HeadJson, readHeadBytes, readStoreBytes } from './verifier/store-bytes.ts';
import { GRAPHS, type Truth } from './verifier/truth.ts';
import { databaseOf } from './verifier/verify.ts';

const GRAPH = 'engagement';
const LOOK_MS = 20;
const EVENT_TOPICS = GRAPHS[GRAPH].topics;

/** A graph in shards under faults: processes of its shards that come and go, and two producers that send its events. */
export class Sharded {
  readonly faulty: Faulty;
  readonly shards: number;
  /** By shard: the state folder of the process that has it. */
  readonly states: string[];
  /** What fell that must only rise, as {@link watch} saw it. */
  readonly fallen: string[] = [];
  /** The same events go to other partitions by the second. */
  readonly #second: Feeder;
  readonly #received = new Map<string, { readonly run: string; readonly last: number }>();
  #watching: AbortController | undefined;
  #watched: Promise<void> | undefined;

  private constructor(faulty: Faulty, second: Feeder, shards: number) {
    this.faulty = faulty;
    this.shards = shards;
    this.states = Array.from({ length: shards }, () => faulty.state);
    this.#second = second;
  }

  static async deploy(options: {
    readonly brokers: string;
    readonly dice: Dice;
    readonly shards: number;
    readonly load: LoadOptions;
  }): Promise<Sharded> {
    const { brokers, dice, shards, load } = options;
    const config = `${MANY_COMMITS} graphs: { ${GRAPH}: { shards: ${shards} }, follow: {} },`;
    const faulty = await Faulty.deploy({ brokers, dice, load, config, graphs: [GRAPH] });
    const second = new Feeder(brokers, faulty.twhin.prefix, new Load(dice.fork(), { ...load, bad: 0 }));
    return new Sharded(faulty, second, shards);
  }

  /** Sends events by both producers. spread: an edge's events lie in two partitions, in no order. */
  async send(count: number, { spread = false } = {}): Promise<void> {
    for (const topic of EVENT_TOPICS) this.#second.spreadOver(topic, spread ? 3 : 4);
    await Promise.all([this.faulty.feeder.send(count / 2), this.#second.send(count / 2)]);
  }

  /** Starts the process of a shard, on a state folder of its own where said. */
  start(
    shard: number,
    { state, args = [], ...options }: RunOptions & { state?: string; args?: readonly string[] } = {},
  ): Running {
    const env = { ...options.env, ...(state !== undefined && { TWHIN_STATE: state }) };
    return this.faulty.run(args, { ...options, env, graphs: [`${GRAPH}-${shard}`] });
  }

  /** The head of a shard's store; undefined before its first commit. */
  head(shard: number, state = this.states[shard]!): Promise<HeadJson | undefined> {
    return beside(() => readHeadBytes(this.folder(shard, state)));
  }

  /** The folder of a shard's database. */
  folder(shard: number, state = this.states[shard]!): string {
    return databaseOf(state, `${GRAPH}-${shard}`);
  }

  /** How many copies of other shards' entities a shard's store has, and which of them have no vector, as of some recent commit. */
  async copies(shard: number): Promise<{ readonly count: number; readonly absent: readonly string[] }> {
    const { entities, vectors } = await readStoreBytes(this.folder(shard));
    const copies = [...entities].filter(([name]) => ownerOf(name, this.shards) !== shard);
    const absent = copies.filter(([, row]) => vectors.get(row)?.every((byte) => byte === 0) ?? true);
    return { count: copies.length, absent: absent.map(([name]) => name) };
  }

  async consumed(shard: number): Promise<number> {
    return (await this.head(shard))?.events.consumed ?? 0;
  }

  /** Waits until the shards' offsets are those at which every event partition ends: what does not concern a shard, it does not count. */
  async caughtUp(shards: readonly number[] = this.all): Promise<void> {
    const { brokers, twhin } = this.faulty;
    const ends = await settledEnds(
      brokers,
      EVENT_TOPICS.map((name) => twhin.topic(name)),
    );
    const behind = async (shard: number) => {
      const positions = (await this.head(shard))?.positions ?? {};
      return [...ends].some(([topic, partitions]) =>
        [...partitions].some(([partition, end]) => (positions[topic]?.[partition]?.offset ?? 0) < end),
      );
    };
    await until(
      `all events read by ${shards}`,
      async () => !(await Promise.all(shards.map(behind))).includes(true),
    );
  }

  /** Runs these shards to the end of what is there. @throws when one of them fails. */
  catchUp(shards: readonly number[], args: readonly string[] = []): Promise<void> {
    return wellEnded(shards.map((shard) => this.start(shard, { args: ['--until-caught-up', ...args] })));
  }

  get all(): number[] {
    return Array.from({ length: this.shards }, (_, shard) => shard);
  }

  /**
   * Looks at all heads again and again: of what a shard received of one run of another, nothing may ever be taken back. The
   * watch has to rest while a store is moved: to look at a database makes its folder.
   */
  watch(shards = this.all): void {
    const watching = new AbortController();
    this.#watching = watching;
    this.#watched = this.#look(shards, watching.signal);
  }

  async #look(shards: readonly number[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const shard of shards) {
        const head = await this.head(shard);
        for (const [from, now] of Object.entries(head?.shard?.received ?? {})) {
          const pair = `${from} to ${shard}, run ${head?.shard?.run}`;
          const before = this.#received.get(pair);
          if (before?.run === now.run && now.last < before.last)
            this.fallen.push(`${pair}: ${now.last} after ${before.last}`);
          this.#received.set(pair, now);
        }
      }
      await sleep(LOOK_MS);
    }
  }

  async endWatch(): Promise<void> {
    this.#watching?.abort();
    await this.#watched;
  }

  /** Every number of the shards' stores and topics, compared with what was sent. @throws when anything differs. */
  verify(): Promise<Truth> {
    const { brokers, twhin, feeder } = this.faulty;
    // By their bytes: both producers number their records from 0. No good record has the bytes of a bad one.
    const text = (value: Buffer | string | null) => (value === null ? null : String(value));
    const codes = new Map(feeder.made.map(({ value, code }) => [text(value), code]));
    const codeOf = ({ value }: TopicRecord) => codes.get(text(value));
    return verifyShards({ brokers, prefix: twhin.prefix, states: this.states, codeOf });
  }

  /** What was routed to the shards, in order within each shard's partition. */
  async routed(): Promise<RoutedBytes[]> {
    const { brokers, twhin } = this.faulty;
    const records = await readTopic(brokers, twhin.topic(`edges.${GRAPH}`));
    return records.map((record) => ({ shard: record.partition, ...JSON.parse(String(record.value)) }));
  }

  parcels(): Promise<ParcelBytes[]> {
    return readParcels(this.faulty.brokers, this.faulty.twhin.prefix);
  }

  /** A shard's store as the project itself reads it. */
  read(shard: number): Promise<Stored> {
    const state = this.states[shard]!;
    return readStore(this.faulty.twhin.elsewhere({ TWHIN_STATE: state }), `${GRAPH}-${shard}`);
  }

  /** The whole graph, learned from the same topics by one process. Publishes where the shards do: nothing can be verified after. */
  async whole(): Promise<Stored> {
    const { twhin } = this.faulty;
    const config = await twhin.configure(MANY_COMMITS);
    const env = { TWHIN_STATE: join(twhin.folder, 'whole'), TWHIN_CONFIG: config };
    await this.faulty.catchUp({ env });
    return readStore(twhin.elsewhere(env), GRAPH);
  }

  async remove(): Promise<void> {
    await this.endWatch();
    await this.#second.close();
    await this.faulty.remove();
  }
}

/** What a routed record says of itself, as its JSON has it. */
export interface RoutedBytes {
  readonly shard: number;
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly until: number;
  readonly changes: readonly unknown[];
}

/**
 * Ends processes in good order, each once it has its part: before it leads, a shard publishes nothing of what the one
 * before it held back. @throws what one of them said, where it ended otherwise.
 */
export async function endAll(running: readonly Running[]): Promise<void> {
  await Promise.all(running.map((each) => each.says(/"msg":"leads the graph"/)));
  for (const each of running) each.kill('SIGTERM');
  await wellEnded(running);
}

/** @throws what one of them said, where it did not end well. */
export async function wellEnded(running: readonly Running[]): Promise<void> {
  for (const ended of await Promise.all(running.map(({ ended }) => ended))) well(ended, 'a shard');
}

/** Waits as `until` does. @throws what they said, where one of the processes ends meanwhile, or the wait is in vain. */
export async function untilOf(
  running: readonly Running[],
  what: string,
  ready: () => boolean | Promise<boolean>,
): Promise<void> {
  const said = () => running.map(({ stderr }, i) => `--- ${i}:\n${stderr.slice(-3000)}`).join('\n');
  await until(what, () => {
    if (running.some(({ over }) => over)) throw new Error('a process ended');
    return ready();
  }).catch((error: unknown) => {
    throw new Error(`${error}\n${said()}`, { cause: error });
  });
}
