import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import { FatalError, reasonOf, TwhinError } from '../errors.ts';
import type { Committed, Offsets, Source, SourceReader, Trouble } from '../pipeline/ports.ts';
import { backoffMs, pause } from './backoff.ts';
import { KafkaAdmin, safeOffset } from './kafka-admin.ts';
import { createKafka, type KafkaSettings, type LogLine } from './kafka-client.ts';
import { recordOf } from './kafka-record.ts';
import { topicsMissing } from './log-errors.ts';
import { Positions } from './positions.ts';

export interface SourceOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Without a heartbeat for this long the group gives the partitions to another. */
  readonly sessionTimeoutMs?: number;
}

/** Records handed over between two heartbeats. */
const CHUNK_RECORDS = 500;
/** How long a fetch waits for records, and so the longest a quiet source takes to notice that it is stopped. */
const FETCH_WAIT_MS = 250;
const HEARTBEAT_MS = 1000;

/**
 * Reads topics as a member of a consumer group, from positions the reader keeps. What kafkajs does by itself is left
 * out where it loses records: it never commits what isn't trained, never resets an offset unasked, never restarts.
 * One session is one consumer from connect to crash or stop; a new one starts where the last record was accepted.
 */
export class KafkaSource implements Source {
  readonly #settings: KafkaSettings;
  readonly #options: SourceOptions;
  readonly #log: LogLine;
  readonly #kafka: Kafka;
  readonly #admin: KafkaAdmin;
  readonly #stopping = new AbortController();
  #positions: Positions | undefined;
  #consumer: Consumer | undefined;
  #running: Promise<void> | undefined;
  /** Pending while the reader has no room. */
  #room: PromiseWithResolvers<void> | undefined;
  #failures = { count: 0, since: 0 };

  constructor(settings: KafkaSettings, options: SourceOptions, log: LogLine) {
    this.#settings = settings;
    this.#options = options;
    this.#log = log;
    this.#kafka = createKafka(settings, log);
    this.#admin = new KafkaAdmin(settings, log);
  }

  async ends(): Promise<Offsets> {
    const ends: Offsets = {};
    await this.#refuseMissing();
    for (const topic of this.#options.topics) {
      const ranges = await this.#admin.ranges(topic);
      ends[topic] = Object.fromEntries([...ranges].map(([partition, { high }]) => [partition, high]));
    }
    return ends;
  }

  async start(reader: SourceReader): Promise<void> {
    if (this.#running !== undefined) {
      throw new FatalError('started', 'this source was started before; make a new one');
    }
    this.#positions = new Positions(reader);
    const started = Promise.withResolvers<void>();
    let joined = false;
    const onJoin = () => {
      joined = true;
      started.resolve();
    };
    this.#running = this.#run(reader, this.#positions, onJoin).then(started.resolve, (error: unknown) => {
      const failure = error instanceof Error ? error : new Error(reasonOf(error));
      return joined ? reader.failed(failure) : started.reject(failure);
    });
    await started.promise;
  }

  resume(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  async commit(offsets: Offsets): Promise<void> {
    const list = Object.entries(offsets).flatMap(([topic, partitions]) =>
      Object.entries(partitions).map(([partition, offset]) => ({
        topic,
        partition: Number(partition),
        offset: String(offset),
      })),
    );
    try {
      await this.#consumer?.commitOffsets(list);
    } catch (error) {
      // Only lag tools read these; the next commit carries them again.
      this.#log('debug', `group ${this.#options.groupId} could not commit its offsets: ${reasonOf(error)}`);
    }
  }

  async committed(): Promise<Committed> {
    return { offsets: {} };
  }

  async topicIds(): Promise<Record<string, string>> {
    return {};
  }

  async confirm(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.resume();
    await this.#running;
    await this.#admin.close();
  }

  async #run(reader: SourceReader, positions: Positions, onJoin: () => void): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#session(reader, positions, onJoin);
      } catch (error) {
        if (error instanceof FatalError) {
          throw error;
        }
        if (!signal.aborted) {
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
    const brokers = this.#settings.brokers.join(',');
    const { count: attempt, since } = failures;
    this.#options.onTrouble?.({ brokers, since, attempt, reason: reasonOf(error) });
  }

  /** Returns when stopped. @throws what ended the consumer. */
  async #session(reader: SourceReader, positions: Positions, onJoin: () => void): Promise<void> {
    await this.#refuseMissing();
    for (const topic of this.#options.topics) {
      const ranges = await this.#admin.ranges(topic);
      positions.check(topic, ranges);
      for (const [partition, { low }] of ranges) {
        // What retention took before the first reading is read: an emptied partition hands nothing over that says so.
        if (low > 0 && !positions.has(topic, partition)) this.#skip(reader, positions, topic, partition, low);
      }
    }
    const consumer = this.#kafka.consumer({
      groupId: this.#options.groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: this.#options.sessionTimeoutMs ?? 10_000,
      rebalanceTimeout: 30_000,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      metadataMaxAge: 10_000,
      // Bounded, so that a dead coordinator ends the session: it is looked up again only when joining.
      retry: { retries: 8, restartOnFailure: async () => false },
    });
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined);
    const fail = (error: unknown) => ended.reject(error);
    consumer.on('consumer.crash', ({ payload }) => fail(payload.error));
    consumer.on('consumer.group_join', ({ payload }) => {
      // Synchronous: a seek after an await comes too late for the first fetch, which then reads from elsewhere.
      for (const [topic, partitions] of Object.entries(payload.memberAssignment)) {
        for (const partition of partitions) {
          consumer.seek({ topic, partition, offset: String(positions.next(topic, partition)) });
        }
      }
      this.#failures.count = 0;
      onJoin();
    });
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      // A batch with records in it is counted as it is accepted; this one held only markers of transactions.
      if (payload.batchSize === 0) {
        const { topic, partition, lastOffset } = payload;
        this.#skip(reader, positions, topic, partition, safeOffset(lastOffset, topic) + 1);
      }
    });
    const stop = () => ended.resolve();
    this.#stopping.signal.addEventListener('abort', stop, { once: true });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
      this.#consumer = consumer;
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.#batch(payload, reader, positions, fail),
      });
      if (!this.#stopping.signal.aborted) {
        await ended.promise;
      }
    } finally {
      this.#stopping.signal.removeEventListener('abort', stop);
      this.#consumer = undefined;
      await consumer.disconnect().catch((error: unknown) => {
        this.#log('debug', `leaving group ${this.#options.groupId}: ${reasonOf(error)}`);
      });
    }
  }

  /** Hands a batch over in chunks. Whatever isn't accepted is not resolved, and so is fetched again. */
  async #batch(
    payload: EachBatchPayload,
    reader: SourceReader,
    positions: Positions,
    fail: (error: unknown) => void,
  ): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, resolveOffset } = payload;
    const { topic, partition } = batch;
    const gone = () => !isRunning() || isStale() || this.#stopping.signal.aborted;
    // First of all: a member that was put out of its group while it was suspended learns it here, not after 2,000 records.
    await heartbeat();
    if (this.#room !== undefined) {
      // The group was joined again while there was no room.
      await this.#waitForRoom(heartbeat);
    }
    const first = batch.messages[0];
    if (first === undefined || gone()) {
      return;
    }
    try {
      if (safeOffset(first.offset, topic) !== positions.next(topic, partition)) {
        // A gap is well where records were compacted or markers stand; a position outside of the log never is.
        positions.check(topic, await this.#admin.ranges(topic));
      }
      for (let at = 0; at < batch.messages.length; at += CHUNK_RECORDS) {
        const chunk = batch.messages.slice(at, at + CHUNK_RECORDS);
        const records = positions.unseen(chunk.map((message) => recordOf(topic, partition, message)));
        const room = records.length === 0 || reader.accept(records);
        positions.advance(topic, partition, safeOffset(chunk[chunk.length - 1]!.offset, topic) + 1);
        resolveOffset(chunk[chunk.length - 1]!.offset);
        if (!room) {
          await this.#waitForRoom(heartbeat);
        }
        await heartbeat();
        if (gone()) {
          return;
        }
      }
      this.#skip(reader, positions, topic, partition, safeOffset(batch.lastOffset(), topic) + 1);
    } catch (error) {
      if (error instanceof TwhinError || !isKafkajsError(error)) {
        // kafkajs would hand the same batch over again, for ever.
        const reason = `reading ${topic}/${partition} stopped: ${reasonOf(error)}`;
        fail(error instanceof FatalError ? error : new FatalError('reader', reason, { cause: error }));
      }
      throw error;
    }
  }

  /** Holds the batch where it is, and the group by heartbeats, until there is room or the source stops. */
  async #waitForRoom(heartbeat: () => Promise<void>): Promise<void> {
    this.#room ??= Promise.withResolvers<void>();
    const { promise } = this.#room;
    let open = false;
    const opened = promise.then(() => {
      open = true;
    });
    while (!open && !this.#stopping.signal.aborted) {
      const tick = Promise.withResolvers<void>();
      const timer = setTimeout(tick.resolve, HEARTBEAT_MS);
      await Promise.race([opened, tick.promise]);
      clearTimeout(timer);
      await heartbeat();
    }
  }

  #skip(reader: SourceReader, positions: Positions, topic: string, partition: number, offset: number): void {
    if (!positions.has(topic, partition) || positions.next(topic, partition) < offset) {
      positions.advance(topic, partition, offset);
      reader.skipped?.(topic, partition, offset);
    }
  }

  async #refuseMissing(): Promise<void> {
    const missing = await this.#admin.missing(this.#options.topics);
    if (missing.length > 0) {
      throw topicsMissing(missing, this.#settings.brokers.join(','));
    }
  }
}

function isKafkajsError(error: unknown): boolean {
  return error instanceof Error && error.name.startsWith('KafkaJS');
}
