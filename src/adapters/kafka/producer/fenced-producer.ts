import { FatalError, RetryableError, TwhinError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import { protocolError, reasonsOf } from '../failure.ts';
import { addressOf, userOf } from '../settings.ts';
import { keyPartitioner } from './partitioner.ts';
import { largestBytes, requestsOf } from './produce-requests.ts';
import { ProducerSession } from './producer-session.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { leaderOf, TopicPartitions } from './topic-partitions.ts';
import { notAcknowledged, type ProducerOptions } from './topic-producer.ts';

/** What keeps a topic to one publisher. */
export interface Fence {
  readonly topic: string;
  /** Transactional id, shared by all processes that may publish to the topic. */
  readonly id: string;
  /**
   * Resolves once it is confirmed, by an answer newer than the call, that this process may publish, however long that
   * takes. Must have ended before the sink is stopped.
   * @throws FatalError when another process may, RetryableError `stopped`.
   */
  readonly confirm: () => Promise<void>;
}

/** Transaction timeout: bounds how long a transaction that a frozen writer left open keeps readers waiting. */
const TRANSACTION_MS = 30_000;
/** How long the previous transaction may take to write its markers to all partitions, and how often that is checked. */
const [ENDING_MS, ENDING_LOOK_MS] = [10_000, 5];

/**
 * Sends to one topic as its only publisher, each call in a transaction of its own, one call after the other.
 *
 * Opening a session raises the epoch of the transactional id, so that the brokers refuse every earlier session, even in
 * the middle of a transaction. Only then does the fence confirm that this process may publish. A process that takes over
 * later raises the epoch again, so at no moment can two processes send. A publisher whose session was refused opens
 * another, as after any error; where another process has taken over, the fence's error ends it.
 */
export class FencedProducer {
  readonly #fence: Fence;
  readonly #options: ProducerOptions;
  readonly #choose = keyPartitioner();
  readonly #partitions: TopicPartitions;
  #tail: Promise<unknown> = Promise.resolve();
  #session: ProducerSession | undefined;

  constructor(fence: Fence, options: ProducerOptions) {
    this.#fence = fence;
    this.#options = options;
    this.#partitions = new TopicPartitions(fence.topic, addressOf(options.settings), options.brokers);
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
        log('warn', `${this.#fence.topic} could not be taken over yet: ${reason}; trying again`);
        await pause(backoffMs(attempt), stopping);
      }
      throw new RetryableError('stopped', `the sink is stopped; ${this.#fence.topic} was not taken over`);
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
        notAcknowledged(messages.length, this.#fence.topic, this.#options.settings, failure)
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
    const { topic } = this.#fence;
    let open = false;
    try {
      const partitions = await this.#partitions.get();
      const requests = requestsOf(messages, partitions.length, this.#choose);
      this.#session ??= await this.#openSession();
      const session = this.#session;
      if (requests.length === 0) return undefined;
      const byPartition = Map.groupBy(requests, ({ partition }) => partition);
      open = true;
      await this.#once(() => session.addPartitions(topic, [...byPartition.keys()]));
      const sends = [...byPartition].map(async ([partition, list]) => {
        const leader = leaderOf(partitions, partition);
        for (const request of list) await session.send(leader, topic, partition, request.messages);
      });
      const failed = (await Promise.allSettled(sends)).find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await this.#once(() => session.end(true));
      return undefined;
    } catch (error) {
      log('debug', `the session of the producer of ${topic} ended and is opened again: ${reasonsOf(error)}`);
      // The next session would end the transaction too; an abort now spares readers of committed records that wait.
      if (open) await this.#session?.end(false).catch(() => undefined);
      this.#session = undefined;
      this.#partitions.forget();
      brokers.forgetCoordinators();
      if (error instanceof FatalError || isStopped(error)) throw error;
      return error;
    }
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

  #refusal(failure: unknown, messages: readonly Message[]): Refusal | undefined {
    const { topic, id: transactionalId } = this.#fence;
    const user = userOf(this.#options.settings);
    return refusalOf(failure, { topic, user, transactionalId, largestBytes: largestBytes(messages) });
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof TwhinError && error.code === 'stopped';
}
