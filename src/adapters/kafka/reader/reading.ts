import { FatalError, reasonOf } from '../../../errors/errors.ts';
import type { Stretch, StretchReading, Trouble } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import { notHeld, partitionMissing, readerClosed, topicsMissing } from '../../log-errors.ts';
import type { Fetched, Wanted } from './fetch.ts';
import { KafkaStretch } from './stretch.ts';

/** Connections to the leaders of some topics' partitions, as they were when it was opened. */
export interface Leaders {
  /** By partition number. */
  of(topic: string): readonly string[];
  fetch(leader: string, wanted: readonly Wanted[], waitMs: number): Promise<Fetched[]>;
  close(): Promise<void>;
}

/** What a reading asks of a cluster. */
export interface Cluster {
  readonly address: string;
  missing(topics: readonly string[]): Promise<string[]>;
  /** @throws what the connection says when the cluster can't be reached or one of the topics has no leader. */
  leaders(topics: readonly string[]): Promise<Leaders>;
  range(topic: string, partition: number): Promise<{ low: number; high: number }>;
  compacted(topic: string): Promise<boolean>;
}

export interface ReadingOptions {
  /** Read ahead for each cursor. */
  readonly aheadBytes: number;
  /** Asked for at a time, for each cursor. */
  readonly fetchBytes: number;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** The longest a fetch waits for what is not written yet. */
const FETCH_WAIT_MS = 250;
/** Between fetches that brought nothing while others were full: they must not wait at the broker then. */
const IDLE_MS = 20;
const OUT_OF_RANGE = 1;
const NOT_AUTHORIZED = 29;

/**
 * Fetches for its cursors, one request at a time to each leader. A session lasts from connecting to the first failure
 * of any kind, a moved leader among them; the next begins where each cursor stands, so nothing is lost or repeated.
 */
export class KafkaReading implements StretchReading {
  readonly cursors: readonly KafkaStretch[];
  readonly #cluster: Cluster;
  readonly #options: ReadingOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #taken = Promise.withResolvers<void>();
  #failures = { count: 0, since: 0 };

  constructor(cluster: Cluster, stretches: readonly Stretch[], options: ReadingOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const onTaken = () => this.#stir();
    const { fetchBytes } = options;
    this.cursors = stretches.map(
      (stretch) => new KafkaStretch(stretch, { handOverBytes: fetchBytes, onTaken }),
    );
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const cursor of this.cursors) {
      cursor.drop(readerClosed());
    }
    this.#stir();
    await this.#running;
  }

  #stir(): void {
    this.#taken.resolve();
    this.#taken = Promise.withResolvers<void>();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted && this.cursors.some(({ done }) => !done)) {
      try {
        await this.#session();
      } catch (error) {
        if (error instanceof FatalError) {
          for (const cursor of this.cursors) cursor.fail(error);
        } else if (!signal.aborted) {
          this.#trouble(error);
          await pause(backoffMs(this.#failures.count), signal);
        }
      }
    }
  }

  #trouble(error: unknown): void {
    const failures = this.#failures;
    failures.since = failures.count === 0 ? Date.now() : failures.since;
    failures.count++;
    const { count: attempt, since } = failures;
    this.#options.onTrouble({ brokers: this.#cluster.address, since, attempt, reason: reasonOf(error) });
  }

  /** Returns when nothing is left to fetch, or closed. @throws what ended it. */
  async #session(): Promise<void> {
    const topics = new Set(this.cursors.filter(({ done }) => !done).map(({ stretch }) => stretch.topic));
    const missing = await this.#cluster.missing([...topics]);
    const there = this.cursors.filter((cursor) => {
      const gone = missing.includes(cursor.stretch.topic);
      if (gone) cursor.fail(topicsMissing([cursor.stretch.topic], this.#cluster.address));
      return !gone && !cursor.done;
    });
    if (there.length === 0) {
      return;
    }
    const leaders = await this.#cluster.leaders([...topics].filter((topic) => !missing.includes(topic)));
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#closing.signal]);
    try {
      const byLeader = Map.groupBy(
        there,
        ({ stretch: { topic, partition } }) => leaders.of(topic)[partition],
      );
      const fetching = [...byLeader].map(async ([leader, cursors]) =>
        leader === undefined ? refuse(cursors, leaders) : this.#fetch(leaders, leader, cursors, signal),
      );
      await Promise.all(fetching);
    } finally {
      ending.abort();
      this.#stir();
      await leaders.close();
    }
  }

  async #fetch(
    leaders: Leaders,
    leader: string,
    cursors: readonly KafkaStretch[],
    signal: AbortSignal,
  ): Promise<void> {
    const { aheadBytes, fetchBytes } = this.#options;
    let turn = 0;
    while (!signal.aborted) {
      const live = cursors.filter(({ done }) => !done);
      if (live.length === 0) {
        return;
      }
      const taken = this.#taken.promise;
      const hungry = live.filter(
        (each) => each.aheadBytes === 0 || each.aheadBytes + fetchBytes <= aheadBytes,
      );
      if (hungry.length === 0) {
        await taken;
        continue;
      }
      const asked = chosen(hungry, turn++);
      const waits = asked.size === live.length;
      const wanted = [...asked.values()].map(({ stretch: { topic, partition }, fetchOffset: offset }) => ({
        topic,
        partition,
        offset,
        maxBytes: fetchBytes,
      }));
      const answers = await leaders.fetch(leader, wanted, waits ? FETCH_WAIT_MS : 0);
      if (signal.aborted) {
        return;
      }
      let moved = false;
      for (const fetched of answers) {
        const cursor = asked.get(nameOf(fetched));
        if (cursor !== undefined && (await this.#take(cursor, fetched, asked.size === 1))) moved = true;
      }
      this.#failures.count = 0;
      if (!moved && !waits) {
        await Promise.race([taken, pause(IDLE_MS, signal)]);
      }
    }
  }

  /** Whether the cursor is any further, or will be by being fetched for alone. */
  async #take(cursor: KafkaStretch, fetched: Fetched, alone: boolean): Promise<boolean> {
    const { topic, partition, error, stableOffset, bytes } = fetched;
    if (error !== 0) {
      await this.#refused(cursor, error);
      return false;
    }
    try {
      if (cursor.add(fetched)) return true;
    } catch (cause) {
      if (!(cause instanceof FatalError)) throw cause;
      cursor.fail(cause);
      return false;
    }
    if (stableOffset <= cursor.fetchOffset) {
      return false;
    }
    if (!alone) {
      cursor.alone = true;
      return true;
    }
    // Asked alone, a broker gives one whole batch however large: there is none. Only compaction leaves such a hole, so
    // anything else is a broker that could not read in time, and must not pass for one.
    if (bytes.length === 0 && (await this.#cluster.compacted(topic))) {
      cursor.passTo(stableOffset);
      return true;
    }
    throw new Error(
      `${topic}/${partition} ends at ${stableOffset}, but its leader gave no whole batch from ${cursor.fetchOffset} on`,
    );
  }

  /** @throws what ends the session, where asking again may help. */
  async #refused(cursor: KafkaStretch, error: number): Promise<void> {
    const { topic, partition } = cursor.stretch;
    if (error === NOT_AUTHORIZED) {
      const message = `reading ${topic} is denied at ${this.#cluster.address}; grant READ on it to this user`;
      cursor.fail(new FatalError('not-authorized', message));
      return;
    }
    if (error === OUT_OF_RANGE) {
      const { low, high } = await this.#cluster.range(topic, partition);
      if (cursor.fetchOffset < low || cursor.fetchOffset > high) {
        cursor.fail(notHeld(cursor.fetchOffset, { topic, partition, low, high }));
        return;
      }
    }
    throw new Error(`the leader of ${topic}/${partition} gave no records: Kafka's error ${error}`);
  }
}

/** One cursor for each partition, as a request may name it once: of several, each in its turn. */
function chosen(hungry: readonly KafkaStretch[], turn: number): Map<string, KafkaStretch> {
  const alone = hungry.filter((each) => each.alone);
  const first = alone[turn % Math.max(1, alone.length)];
  const byPartition = Map.groupBy(first === undefined ? hungry : [first], ({ stretch }) => nameOf(stretch));
  return new Map([...byPartition].map(([name, cursors]) => [name, cursors[turn % cursors.length]!]));
}

function nameOf({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}

function refuse(cursors: readonly KafkaStretch[], leaders: Leaders): void {
  for (const cursor of cursors) {
    const { topic, partition } = cursor.stretch;
    cursor.fail(partitionMissing(topic, partition, leaders.of(topic).length));
  }
}
