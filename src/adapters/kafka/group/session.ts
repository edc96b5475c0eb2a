import type { Consumer, Kafka } from 'kafkajs';
import { reasonOf } from '../../../errors/errors.ts';
import type { Offsets, WriterNote } from '../../../pipeline/ports.ts';
import { pause } from '../../backoff.ts';
import { fenced, groupInUse } from '../../log-errors.ts';
import type { KafkaAdmin } from '../admin.ts';
import type { LogLine } from '../client.ts';
import { safeOffset } from '../offset.ts';
import type { Handover } from './handover.ts';
import type { Lease, Renewal } from './lease.ts';
import { oneReader } from './one-reader.ts';
import type { Readership } from './readership.ts';

/** How long a fetch waits for records, and so the longest a quiet source takes to notice that it is stopped. */
const FETCH_WAIT_MS = 250;
const HEARTBEAT_MS = 500;
/** A member that stays away from a rebalance for longer is put out. Longer than any session, which ends first. */
const REBALANCE_MS = 60_000;
/** From the end of a member's session until the others have joined without it. */
const PUT_OUT_MS = 2_000;

export interface SessionParts {
  readonly kafka: Kafka;
  readonly admin: KafkaAdmin;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly standby: boolean;
  readonly sessionTimeoutMs: number;
  readonly readership: Readership;
  readonly lease: Lease;
  readonly handover: Handover;
  readonly stopping: AbortSignal;
  readonly log: LogLine;
  /** The brokers let it into the group. */
  readonly joined: () => void;
  /** It is the group's reader; the first record comes after. */
  readonly leads: () => void;
}

/** Partitions by topic. */
type Assignment = Readonly<Record<string, number[]>>;

/**
 * One consumer from connect to crash or stop. What kafkajs does by itself is left out where it loses records: it never
 * commits what isn't trained, never resets an offset unasked, never restarts.
 */
export class KafkaSession {
  readonly #parts: SessionParts;
  readonly #consumer: Consumer;
  readonly #ended = Promise.withResolvers<void>();
  /** Resolves once kafkajs takes commits: it drops them without a word before. */
  readonly #running = Promise.withResolvers<void>();
  #over = false;
  /** The member that was given the partitions last; kafkajs joins under another id where that one was put out. */
  #memberId: string | undefined;
  #assignment: Assignment = {};
  #taking: Promise<void> = this.#running.promise;
  #leads = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#ended.promise.catch(() => undefined);
    this.#consumer = parts.kafka.consumer({
      groupId: parts.groupId,
      allowAutoTopicCreation: false,
      partitionAssigners: [oneReader(() => parts.readership.claim())],
      sessionTimeout: parts.sessionTimeoutMs,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      metadataMaxAge: 10_000,
      // Bounded, so that a dead coordinator ends the session: it is looked up again only when joining.
      retry: { retries: 8, restartOnFailure: async () => false },
    });
    this.#listen();
  }

  /** Returns when stopped. @throws what ended it. */
  async run(): Promise<void> {
    const { stopping, topics, groupId, handover, log } = this.#parts;
    const stop = () => this.#ended.resolve();
    stopping.addEventListener('abort', stop, { once: true });
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => handover.batch(payload, (error) => this.#fail(error)),
      });
      this.#running.resolve();
      if (!stopping.aborted) await this.#ended.promise;
    } finally {
      this.#close();
      stopping.removeEventListener('abort', stop);
      await this.#consumer.disconnect().catch((error: unknown) => {
        log('debug', `leaving group ${groupId}: ${reasonOf(error)}`);
      });
    }
  }

  /** false while another, or nobody yet, is the group's reader: then nothing is. @throws what kafkajs throws. */
  async commit(offsets: Offsets, note: WriterNote | undefined): Promise<boolean> {
    if (!this.#leads) return false;
    await this.#parts.readership.commit(this.#consumer, offsets, note);
    // One that ended meanwhile may have dropped it without a word.
    return this.#leads;
  }

  #listen(): void {
    const consumer = this.#consumer;
    const { lease, handover } = this.#parts;
    consumer.on('consumer.crash', ({ payload }) => this.#fail(payload.error));
    consumer.on('consumer.network.request', ({ payload }) => {
      if (isRenewal(payload.apiName)) lease.answered(payload.apiName, payload.duration);
    });
    consumer.on('consumer.heartbeat', () => lease.renewed('Heartbeat'));
    consumer.on('consumer.group_join', ({ payload }) =>
      this.#joined(payload.memberId, payload.memberAssignment),
    );
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      // A batch with records in it is counted as it is accepted; this one held only markers of transactions.
      if (payload.batchSize === 0) {
        const { topic, partition, lastOffset } = payload;
        handover.skip(topic, partition, safeOffset(lastOffset, topic) + 1);
      }
    });
  }

  /** Synchronous up to the seeks: after an await they come too late for the first fetch, which then reads from elsewhere. */
  #joined(memberId: string, assignment: Assignment): void {
    const { readership, lease, joined } = this.#parts;
    if (this.#over) return;
    joined();
    if (Object.values(assignment).every((partitions) => partitions.length === 0)) {
      this.#passedOver();
      return;
    }
    const awayMs = lease.ageMs ?? 0;
    lease.renewed('SyncGroup');
    this.#assignment = assignment;
    if (this.#memberId !== memberId) {
      // What happened since the last membership is to be found out before anything is read or confirmed.
      this.#leads = false;
      lease.close();
      this.#memberId = memberId;
      readership.assigned(memberId);
      this.#taking = this.#taking
        .then(() => this.#take(memberId, awayMs))
        .catch((error: unknown) => this.#fail(error));
    }
    this.#seek();
    if (!this.#leads) this.#consumer.pause(this.#partitions());
  }

  /** Another reads: a standby waits for its turn. */
  #passedOver(): void {
    const { readership, lease, standby, groupId } = this.#parts;
    this.#memberId = undefined;
    if (readership.held) this.#fail(fenced(groupId, lease.ageMs ?? 0));
    else if (!standby) void this.#refuse();
  }

  /** Ends with `group-in-use`, unless the member that was chosen turns out to be dead: then this one is chosen next. */
  async #refuse(): Promise<void> {
    const { groupId, admin, sessionTimeoutMs, stopping, log } = this.#parts;
    const ask = () => admin.groupReader(groupId).catch(() => null);
    let reader = await ask();
    if (reader?.holdsOn !== true && !this.#over) {
      // One that was killed while it joined is chosen like any other, and put out only when its session is over.
      const waitMs = sessionTimeoutMs + PUT_OUT_MS;
      const seconds = Math.ceil(waitMs / 1000);
      log('warn', `another process joined group ${groupId}: it has ${seconds} s to show that it is there`);
      do {
        await pause(waitMs, stopping);
        reader = await ask();
        // Nobody reads while the group is joined anew, and this one is told as well what comes of it.
      } while (reader === undefined && !this.#over);
    }
    if (this.#memberId === undefined) this.#fail(groupInUse(groupId, reader ?? undefined));
  }

  /** From assigned to reading. awayMs: since it last asked to stay in the group. */
  async #take(memberId: string, awayMs: number): Promise<void> {
    const { handover, readership, lease, leads } = this.#parts;
    await handover.check();
    await readership.take(this.#consumer, (topic, partition) => handover.next(topic, partition), awayMs);
    if (this.#over || this.#memberId !== memberId) return;
    this.#leads = true;
    lease.open();
    leads();
    this.#seek();
    this.#consumer.resume(this.#partitions());
  }

  #seek(): void {
    const { handover } = this.#parts;
    for (const { topic, partitions } of this.#partitions()) {
      for (const partition of partitions) {
        this.#consumer.seek({ topic, partition, offset: String(handover.next(topic, partition)) });
      }
    }
  }

  #partitions(): { topic: string; partitions: number[] }[] {
    return Object.entries(this.#assignment).map(([topic, partitions]) => ({ topic, partitions }));
  }

  #fail(error: unknown): void {
    this.#close();
    this.#ended.reject(error);
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#leads = false;
    this.#parts.lease.close();
  }
}

function isRenewal(apiName: string): apiName is Renewal {
  return apiName === 'Heartbeat' || apiName === 'SyncGroup';
}
