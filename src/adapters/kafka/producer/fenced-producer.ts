import { FatalError, RetryableError, TwhinError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import { protocolError, reasonsOf } from '../failure.ts';
import { addressOf, userOf } from '../settings.ts';
import { keyPartitioner } from './partitioner.ts';
import { largestBytes, type ProduceRequest, requestsOf } from './produce-requests.ts';
import { ProducerSession } from './producer-session.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { leaderOf, TopicPartitions } from './topic-partitions.ts';
import { notAcknowledged, type ProducerOptions } from './topic-producer.ts';

/** What keeps topics to one publisher. */
export interface Fence {
  readonly topics: readonly string[];
  /** Transactional id, shared by all processes that may publish to the topics. */
  readonly id: string;
  /**
   * Resolves once it is confirmed, by an answer newer than the call, that this process may publish, however long that
   * takes. Must have ended before the sink is stopped.
   * @throws FatalError when another process may, RetryableError `stopped`.
   */
  readonly confirm: () => Promise<void>;
}

type Choose = ReturnType<typeof keyPartitioner>;

/** What goes to one partition. */
interface Part {
  readonly topic: string;
  readonly partition: number;
  /** The broker that leads the partition. */
  readonly leader: number;
  readonly requests: readonly ProduceRequest[];
}

/** Transaction timeout: bounds how long a transaction that a frozen writer left open keeps readers waiting. */
const TRANSACTION_MS = 30_000;
/** How long the previous transaction may take to write its markers to all partitions, and how often that is checked. */
const [ENDING_MS, ENDING_LOOK_MS] = [10_000, 5];

/**
 * Sends to some topics as their only publisher, each call in a transaction of its own, one call after the other.
 *
 * Opening a session raises the epoch of the transactional id, so that the brokers refuse every earlier session, even in
 * the middle of a transaction. Only then does the fence confirm that this process may publish. A process that takes over
 * later raises the epoch again, so at no moment can two processes send. A publisher whose session was refused opens
 * another, as after any error; where another process has taken over, the fence's error ends it.
 */
export class FencedProducer {
  readonly #fence: Fence;
  readonly #options: ProducerOptions;
  readonly #partitions: ReadonlyMap<string, { of: TopicPartitions; choose: Choose }>;
  #tail: Promise<unknown> = Promise.resolve();
  #session: ProducerSession | undefined;

  constructor(fence: Fence, options: ProducerOptions) {
    this.#fence = fence;
    this.#options = options;
    const address = addressOf(options.settings);
    this.#partitions = new Map(
      fence.topics.map((topic) => {
        const of = new TopicPartitions(topic, address, options.brokers);
        return [topic, { of, choose: keyPartitioner() }];
      }),
    );
  }

  /**
   * Resolves once no other process can publish, however long the brokers are out of reach.
   * @throws the fence's error; RetryableError `refused` where the brokers deny the session, `stopped`.
   */
  takeOver(): Promise<void> {
    return this.#inTurn(async () => {
      const { stopping, log } = this.#options;
      for (let attempt = 1; !stopping.aborted; attempt++) {
        const failure = await this.#attempt([]);
        if (failure === undefined) return;
        const refusal = this.#refusal(failure, []);
        if (refusal !== undefined && !refusal.waits) throw refusal.error;
        const reason = reasonsOf(failure);
        log('warn', `${this.#names} could not be taken over yet: ${reason}; trying again`);
        await pause(backoffMs(attempt), stopping);
      }
      throw new RetryableError('stopped', `the sink was stopped before ${this.#names} could be taken over`);
    });
  }

  /**
   * Resolves once all messages are acknowledged and committed. Makes one attempt; the caller may send again, in another
   * transaction.
   * @throws RetryableError, with code `refused` where the brokers refuse a message; the fence's error.
   */
  send(messages: readonly Message[]): Promise<void> {
    return this.#inTurn(async () => {
      const failure = await this.#attempt(messages);
      if (failure === undefined) return;
      throw (
        this.#refusal(failure, messages)?.error ??
        notAcknowledged(messages.length, this.#names, this.#options.settings, failure)
      );
    });
  }

  /** Waits for the calls in progress, and closes the connections. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#options.brokers.close();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Gives undefined once all is sent and committed, else the failure, after which the session is closed. @throws the fence's error. */
  async #attempt(messages: readonly Message[]): Promise<unknown> {
    const { brokers, log } = this.#options;
    let open = false;
    try {
      const parts = await this.#parts(messages);
      this.#session ??= await this.#openSession();
      const session = this.#session;
      if (messages.length === 0) return undefined;
      open = true;
      await this.#once(() => session.addPartitions(parts));
      const sends = parts.map(async ({ topic, partition, leader, requests }) => {
        for (const request of requests) await session.send(leader, topic, partition, request.messages);
      });
      const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await this.#once(() => session.end(true));
      return undefined;
    } catch (error) {
      log(
        'debug',
        `the session of the producer of ${this.#names} ended and is opened again: ${reasonsOf(error)}`,
      );
      // The next session would end the transaction too; an abort now spares readers of committed records that wait.
      if (open) await this.#session?.end(false).catch(() => undefined);
      this.#session = undefined;
      for (const { of } of this.#partitions.values()) of.forget();
      brokers.forgetCoordinators();
      if (error instanceof FatalError || isStopped(error)) throw error;
      return error;
    }
  }

  /** The partitions that messages go to, with their leaders and requests. Looks up every topic, also without messages. */
  async #parts(messages: readonly Message[]): Promise<Part[]> {
    const byTopic = Map.groupBy(messages, ({ topic }) => topic);
    const parts: Part[] = [];
    for (const [topic, { of, choose }] of this.#partitions) {
      const partitions = await of.get();
      const requests = requestsOf(byTopic.get(topic) ?? [], partitions.length, choose);
      for (const [partition, list] of Map.groupBy(requests, ({ partition }) => partition))
        parts.push({ topic, partition, leader: leaderOf(partitions, partition), requests: list });
    }
    return parts;
  }

  /** Repeats the step while the previous transaction is ending. */
  async #once<T>(step: () => Promise<T>): Promise<T> {
    const deadline = Date.now() + ENDING_MS;
    for (;;) {
      try {
        return await step();
      } catch (error) {
        if (protocolError(error) !== 'CONCURRENT_TRANSACTIONS' || Date.now() > deadline) throw error;
        await pause(ENDING_LOOK_MS, this.#options.stopping);
      }
    }
  }

  async #openSession(): Promise<ProducerSession> {
    const { id, confirm } = this.#fence;
    const { brokers, settings } = this.#options;
    const session = await this.#once(() => ProducerSession.open(brokers, id, TRANSACTION_MS)).catch(
      (cause: unknown) => {
        if (protocolError(cause) !== 'COORDINATOR_NOT_AVAILABLE') throw cause;
        const user = userOf(settings) ?? 'the user of this client';
        const message = `no broker at ${addressOf(settings)} coordinates transactional id ${id}: they are out of reach, or WRITE on it is not granted to ${user}`;
        throw new RetryableError('no-coordinator', message, { cause });
      },
    );
    await confirm();
    return session;
  }

  get #names(): string {
    return this.#fence.topics.join(' and ');
  }

  #refusal(failure: unknown, messages: readonly Message[]): Refusal | undefined {
    const { id: transactionalId } = this.#fence;
    const topic = this.#names;
    const user = userOf(this.#options.settings);
    return refusalOf(failure, { topic, user, transactionalId, largestBytes: largestBytes(messages) });
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof TwhinError && error.code === 'stopped';
}
