import type { Kafka } from 'kafkajs';
import { FatalError, RetryableError, reasonOf } from '../../../errors/errors.ts';
import type {
  Committed,
  Offsets,
  Source,
  SourceReader,
  Trouble,
  WriterNote,
} from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import { topicsMissing } from '../../log-errors.ts';
import { KafkaAdmin } from '../admin.ts';
import { createKafka, type KafkaSettings, type LogLine } from '../client.ts';
import { topicIds } from '../topic-ids.ts';
import { Handover } from './handover.ts';
import { Lease } from './lease.ts';
import { Readership } from './readership.ts';
import { KafkaSession } from './session.ts';
import { Telling } from './telling.ts';

export interface SourceOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly onTrouble?: (trouble: Trouble) => void;
  /** Without a heartbeat for this long the group gives the partitions to another. */
  readonly sessionTimeoutMs?: number;
  /** Where another process reads for the group: waits for its turn, rather than fail. */
  readonly standby?: boolean;
}

const SESSION_MS = 10_000;
/**
 * Heartbeats are sent twice a second, so half a session is missed only by who is in trouble; and what a lease was
 * granted for has as long again to be done before another process can be given the group.
 */
const LEASE_SHARE = 0.5;

/**
 * Reads topics as the one reader of a consumer group, from positions its reader keeps. Sessions follow one another
 * for as long as the brokers can be out of reach.
 */
export class KafkaSource implements Source {
  readonly #settings: KafkaSettings;
  readonly #options: SourceOptions;
  readonly #sessionTimeoutMs: number;
  readonly #log: LogLine;
  readonly #kafka: Kafka;
  readonly #admin: KafkaAdmin;
  readonly #readership: Readership;
  readonly #lease: Lease;
  readonly #telling: Telling;
  readonly #stopping = new AbortController();
  #handover: Handover | undefined;
  #session: KafkaSession | undefined;
  #running: Promise<void> | undefined;
  #failures = { count: 0, since: 0 };

  constructor(settings: KafkaSettings, options: SourceOptions, log: LogLine) {
    const { groupId, topics, standby = false } = options;
    this.#settings = settings;
    this.#options = options;
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? SESSION_MS;
    this.#log = log;
    this.#kafka = createKafka(settings, log);
    this.#admin = new KafkaAdmin(settings, log);
    this.#readership = new Readership(this.#admin, { groupId, topics, standby });
    this.#lease = new Lease(this.#sessionTimeoutMs * LEASE_SHARE);
    this.#telling = new Telling(
      async ({ offsets, note }) => (await this.#session?.commit(offsets, note)) ?? false,
      log,
    );
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
    const { topics } = this.#options;
    const handover = new Handover({ admin: this.#admin, topics, reader, stopping: this.#stopping.signal });
    this.#handover = handover;
    const started = Promise.withResolvers<void>();
    let leading = false;
    const leads = () => {
      if (leading) return;
      leading = true;
      reader.leads?.();
      started.resolve();
    };
    this.#running = this.#run(handover, leads).then(started.resolve, (error: unknown) => {
      const failure = error instanceof Error ? error : new Error(reasonOf(error));
      this.#lease.end(failure);
      return leading ? reader.failed(failure) : started.reject(failure);
    });
    await started.promise;
  }

  resume(): void {
    this.#handover?.resume();
  }

  async commit(offsets: Offsets, note?: WriterNote): Promise<void> {
    await this.#telling.tell(offsets, note);
  }

  committed(): Promise<Committed> {
    return this.#untilAnswered(async () => {
      await this.#refuseMissing();
      return this.#readership.committed();
    });
  }

  topicIds(): Promise<Record<string, string>> {
    return this.#untilAnswered(() => topicIds(this.#kafka, this.#settings, this.#options.topics));
  }

  confirm({ fresh = false }: { fresh?: boolean } = {}): Promise<void> {
    return this.#lease.confirm(fresh);
  }

  async stop(): Promise<void> {
    await this.#telling.end();
    this.#stopping.abort();
    this.resume();
    await this.#running;
    this.#lease.end(stopped(this.#options.groupId));
    await this.#admin.close();
  }

  async #run(handover: Handover, leads: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const { groupId, topics, standby = false } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#refuseMissing();
        this.#session = new KafkaSession({
          ...{ kafka: this.#kafka, admin: this.#admin, groupId, topics, standby, handover, leads },
          ...{ readership: this.#readership, lease: this.#lease, stopping: signal, log: this.#log },
          sessionTimeoutMs: this.#sessionTimeoutMs,
          joined: () => {
            this.#failures.count = 0;
          },
        });
        await this.#session.run();
      } catch (error) {
        if (error instanceof FatalError) throw error;
        await this.#trouble(error);
      } finally {
        this.#session = undefined;
      }
    }
  }

  /** Asks until there is an answer. @throws FatalError, or RetryableError `stopped`. */
  async #untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    while (!this.#stopping.signal.aborted) {
      try {
        return await ask();
      } catch (error) {
        if (error instanceof FatalError) throw error;
        await this.#trouble(error);
      }
    }
    throw stopped(this.#options.groupId);
  }

  /** Reports a failure and waits before the next attempt. */
  async #trouble(error: unknown): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    const failures = this.#failures;
    failures.since = failures.count === 0 ? Date.now() : failures.since;
    failures.count++;
    const brokers = this.#settings.brokers.join(',');
    const { count: attempt, since } = failures;
    this.#options.onTrouble?.({ brokers, since, attempt, reason: reasonOf(error) });
    await pause(backoffMs(attempt), signal);
  }

  async #refuseMissing(): Promise<void> {
    const missing = await this.#admin.missing(this.#options.topics);
    if (missing.length > 0) throw topicsMissing(missing, this.#settings.brokers.join(','));
  }
}

function stopped(groupId: string): RetryableError {
  return new RetryableError('stopped', `the source of group ${groupId} is stopped`);
}
