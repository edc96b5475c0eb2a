import { FatalError, RetryableError, reasonOf } from '../../../errors/errors.ts';
import type { Stretch, StretchReading, Trouble } from '../../../pipeline/ports.ts';
import { type EpochEnd, isLost } from '../../agreed.ts';
import { type Failure, pause, retrying, troubleOf } from '../../backoff.ts';
import {
  diverged,
  leaderless,
  notHeld,
  partitionMissing,
  readerClosed,
  remade,
  topicsMissing,
} from '../../log-errors.ts';
import { NOT_AUTHORIZED } from '../failure.ts';
import type { EpochAsked } from './epochs.ts';
import type { Fetched, Wanted } from './fetch.ts';
import { PartitionCursor } from './partition-cursor.ts';

/** Who leads a partition, undefined while nobody does; and the epoch in which. */
export interface Led {
  readonly leader: string | undefined;
  readonly epoch: number;
}
export const NOBODY: Led = { leader: undefined, epoch: -1 };

/** Connections to the brokers that led the partitions of some topics when this was opened. */
export interface Leaders {
  /** A topic's id, and who leads each of its partitions; undefined where there is no such topic. */
  of(topic: string): { readonly id: string; readonly partitions: readonly Led[] } | undefined;
  epochEnds(leader: string, asked: readonly EpochAsked[]): Promise<EpochEnd[]>;
  fetch(leader: string, wanted: readonly Wanted[], waitMs: number): Promise<Fetched[]>;
  close(): Promise<void>;
}

/** What the fetch loop needs of a cluster. All errors are errors of this program. */
export interface Cluster {
  readonly address: string;
  leaders(topics: readonly string[]): Promise<Leaders>;
  range(topic: string, partition: number): Promise<{ low: number; high: number }>;
  topicId(topic: string): Promise<string | undefined>;
  compacted(topic: string): Promise<boolean>;
}

export interface FetchOptions {
  /** Most bytes read ahead for each cursor. */
  readonly aheadBytes: number;
  /** Bytes requested at a time for each cursor. */
  readonly fetchBytes: number;
  /** About how many bytes of records a cursor gives at a time; `fetchBytes` unless given. */
  readonly handOverBytes?: number | undefined;
  readonly onTrouble: (trouble: Trouble) => void;
}

/** Fetching from one leader. */
interface Session {
  readonly leaders: Leaders;
  readonly leader: string;
  readonly cursors: readonly PartitionCursor[];
  readonly signal: AbortSignal;
  /** Called at each answer. */
  heard(): void;
}

/** How long the broker may hold a fetch until records are written. */
const FETCH_WAIT_MS = 250;
/** Pause after a fetch without records while other cursors are full: such a fetch does not wait at the broker. */
const IDLE_MS = 20;
/** Where a partition has no leader, leaders are looked up again after this time. */
const LEADERLESS_MS = 1_000;
const OUT_OF_RANGE = 1;

/**
 * Fetches records for its cursors, with one request at a time to each leader. Every reader of Kafka reads through this
 * loop. A session lasts from connecting to the first failure, such as a moved leader. The next session begins where each
 * cursor stands, so that nothing is lost or repeated; each leader is asked first whether its log still holds the records that were read.
 */
export class FetchLoop implements StretchReading {
  readonly cursors: readonly PartitionCursor[];
  readonly #cluster: Cluster;
  readonly #options: FetchOptions;
  readonly #closing = new AbortController();
  #leaders: Leaders | undefined;
  /** The id that each topic had at first. */
  readonly #ids = new Map<string, string>();
  readonly #running: Promise<void>;
  #taken = Promise.withResolvers<void>();

  constructor(cluster: Cluster, stretches: readonly Stretch[], options: FetchOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { fetchBytes, handOverBytes = fetchBytes } = options;
    this.cursors = stretches.map(
      (stretch) => new PartitionCursor(stretch, { handOverBytes, onTaken: () => this.#stir() }),
    );
    this.#running = Promise.resolve().then(() => this.#run());
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const cursor of this.cursors) cursor.drop(readerClosed());
    this.#stir();
    // Closing the connections ends a request to a leader that does not answer.
    await this.#leaders?.close();
    await this.#running;
  }

  #stir(): void {
    this.#taken.resolve();
    this.#taken = Promise.withResolvers<void>();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    const isOpen = () => !signal.aborted && this.cursors.some(({ done }) => !done);
    const sessions = async (heard: () => void) => {
      while (isOpen()) await this.#fetchAll(signal, heard);
    };
    const onTrouble = (failure: Failure) =>
      this.#options.onTrouble(troubleOf(this.#cluster.address, failure));
    await retrying(sessions, { signal, onTrouble }).catch((error) => {
      if (signal.aborted && error instanceof RetryableError) return;
      for (const cursor of this.cursors) cursor.fail(asFatal(error));
    });
  }

  /** Runs one session. Returns when nothing is left to fetch, or at the signal. @throws the error that ended the session. */
  async #fetchAll(signal: AbortSignal, heard: () => void): Promise<void> {
    const live = this.cursors.filter(({ done }) => !done);
    const leaders = await this.#cluster.leaders([...new Set(live.map(({ stretch }) => stretch.topic))]);
    this.#leaders = leaders;
    const ending = new AbortController();
    const until = AbortSignal.any([ending.signal, signal]);
    until.addEventListener('abort', () => this.#stir(), { once: true });
    try {
      for (const cursor of live) {
        const { topic, partition } = cursor.stretch;
        const { id = '', partitions } = leaders.of(topic) ?? {};
        const before = this.#ids.get(topic) ?? id;
        this.#ids.set(topic, before);
        if (partitions === undefined) cursor.fail(topicsMissing([topic], this.#cluster.address));
        else if (id !== before && id !== '') cursor.fail(remade(topic, before, id));
        else if (partition >= partitions.length)
          cursor.fail(partitionMissing(topic, partition, partitions.length));
      }
      const byLeader = Map.groupBy(
        live.filter(({ done }) => !done),
        (cursor) => ledIn(leaders, cursor).leader,
      );
      const fetching = [...byLeader].map(([leader, cursors]) =>
        leader === undefined
          ? waitForLeader(cursors, until)
          : this.#fetch({ leaders, leader, cursors, signal: until, heard }),
      );
      await Promise.all(fetching);
    } finally {
      ending.abort();
      await leaders.close();
    }
  }

  /** Fails cursors before whose position the leader's log lost records, one of each partition: a fetch of another tells as much. */
  async #refuseLost({ leaders, leader, cursors }: Session): Promise<void> {
    const withEpoch = cursors.filter(({ fetched }) => fetched.epoch !== undefined);
    const known = [...new Map(withEpoch.map((cursor) => [cursor.name, cursor])).values()];
    const asked = known.map((cursor) => {
      const { stretch, fetched } = cursor;
      const { epoch: currentEpoch } = ledIn(leaders, cursor);
      return { topic: stretch.topic, partition: stretch.partition, currentEpoch, epoch: fetched.epoch ?? -1 };
    });
    const ends = asked.length === 0 ? [] : await leaders.epochEnds(leader, asked);
    for (const [i, cursor] of known.entries())
      if (isLost(cursor.fetched, ends[i]!)) await this.#parted(cursor, ends[i]!);
  }

  /** Fails a cursor whose records are lost. A broker that copied a compacted log lacks the epochs of which no record was left. */
  async #parted(cursor: PartitionCursor, end: EpochEnd): Promise<void> {
    const { stretch, fetched } = cursor;
    const { offset } = fetched;
    if (end.offset >= offset && (await this.#cluster.compacted(stretch.topic))) cursor.passTo(offset);
    else cursor.fail(diverged(stretch, fetched, end));
  }

  async #fetch(session: Session): Promise<void> {
    const { leaders, leader, cursors, signal, heard } = session;
    const { aheadBytes, fetchBytes } = this.#options;
    await this.#refuseLost(session);
    let turn = 0;
    while (!signal.aborted) {
      const live = cursors.filter(({ done }) => !done);
      if (live.length === 0) return;
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
      const wanted = [...asked.values()].map((cursor) => {
        const { topic, partition } = cursor.stretch;
        const { epoch: currentEpoch } = ledIn(leaders, cursor);
        return {
          topic,
          partition,
          ...cursor.fetched,
          epoch: cursor.fetched.epoch,
          currentEpoch,
          maxBytes: fetchBytes,
        };
      });
      const answers = await leaders.fetch(leader, wanted, waits ? FETCH_WAIT_MS : 0);
      if (signal.aborted) return;
      let moved = false;
      for (const fetched of answers) {
        const cursor = asked.get(`${fetched.topic}/${fetched.partition}`);
        if (cursor !== undefined && (await this.#take(cursor, fetched, asked.size === 1))) moved = true;
      }
      heard();
      if (!moved && !waits) await Promise.race([taken, pause(IDLE_MS, signal)]);
    }
  }

  /** Gives whether the cursor moved on, or will once it is fetched for alone. */
  async #take(cursor: PartitionCursor, fetched: Fetched, alone: boolean): Promise<boolean> {
    const { topic, error, stableOffset, bytes, diverging } = fetched;
    if (error !== 0) {
      await this.#refused(cursor, error);
      return false;
    }
    if (diverging !== undefined) {
      await this.#parted(cursor, diverging);
      return false;
    }
    try {
      if (cursor.add(fetched)) return true;
    } catch (cause) {
      if (!(cause instanceof FatalError)) throw cause;
      cursor.fail(cause);
      return false;
    }
    if (stableOffset <= cursor.fetched.offset) return false;
    if (!alone) {
      cursor.alone = true;
      return true;
    }
    // For a single partition a broker sends one whole batch, however large, so there is no batch here. Only compaction
    // leaves such a hole. In any other topic the broker could not read in time, and nothing may be skipped.
    if (bytes.length === 0 && (await this.#cluster.compacted(topic))) {
      cursor.passTo(stableOffset);
      return true;
    }
    throw new RetryableError(
      'broker-answered',
      `${cursor.name} ends at ${stableOffset}, but its leader gave no whole batch from ${cursor.fetched.offset} on; look at the broker's log`,
    );
  }

  /** Handles a refusal of one partition. @throws RetryableError where another request may help. */
  async #refused(cursor: PartitionCursor, error: number): Promise<void> {
    const { topic, partition } = cursor.stretch;
    if (error === NOT_AUTHORIZED) {
      const message = `reading ${topic} is denied at ${this.#cluster.address}; grant READ on it to this user`;
      cursor.fail(new FatalError('not-authorized', message));
      return;
    }
    if (error === OUT_OF_RANGE) {
      const { low, high } = await this.#cluster.range(topic, partition);
      const { offset } = cursor.fetched;
      // A topic that was made again is found by its id as the next session begins.
      const isOther = this.#ids.get(topic) !== (await this.#cluster.topicId(topic));
      if (!isOther && (offset < low || offset > high)) {
        cursor.fail(notHeld(offset, { topic, partition, low, high }));
        return;
      }
    }
    throw new RetryableError(
      'broker-answered',
      `the leader of ${cursor.name} gave no records: Kafka's error ${error}; it is asked again`,
    );
  }
}

/** One cursor for each partition, because a request may name a partition once. Several cursors of a partition take turns. */
function chosen(hungry: readonly PartitionCursor[], turn: number): Map<string, PartitionCursor> {
  const alone = hungry.filter((each) => each.alone);
  const first = alone[turn % Math.max(1, alone.length)];
  const byPartition = Map.groupBy(first === undefined ? hungry : [first], ({ name }) => name);
  return new Map([...byPartition].map(([name, cursors]) => [name, cursors[turn % cursors.length]!]));
}

/** Who leads the cursor's partition. */
function ledIn(leaders: Leaders, { stretch: { topic, partition } }: PartitionCursor): Led {
  return leaders.of(topic)?.partitions[partition] ?? NOBODY;
}

/** Ends the session after a moment, in which the other partitions are read, so that leaders are looked up again. */
async function waitForLeader(cursors: readonly PartitionCursor[], signal: AbortSignal): Promise<void> {
  await pause(LEADERLESS_MS, signal);
  if (!signal.aborted) throw leaderless(cursors.map(({ name }) => name));
}

function asFatal(error: unknown): FatalError {
  if (error instanceof FatalError) return error;
  return new FatalError('client-fault', `reading stopped: ${reasonOf(error)}`, { cause: error });
}
