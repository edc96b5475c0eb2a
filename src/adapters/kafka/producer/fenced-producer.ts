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

/** What makes a topic's publisher the only one. */
export interface Fence {
  readonly topic: string;
  /** Transactional id, the same for all who may publish to the topic. */
  readonly id: string;
  /**
   * Resolves once it is certain anew that this process is the one to publish, however long that takes. It is to end
   * before the sink is stopped.
   * @throws FatalError when another is, RetryableError `stopped`.
   */
  readonly confirm: () => Promise<void>;
}

/** Transaction timeout: bounds how long a transaction that a frozen writer left open keeps readers waiting. */
const TRANSACTION_MS = 30_000;
/** The transaction before is committed, but not yet marked so on every partition. */
const [ENDING_MS, ENDING_LOOK_MS] = [2_000, 5];

/**
 * Sends to one topic as its one publisher, each call in a transaction of its own, one call after the other.
 * Opening a session raises the epoch of the transactional id, by which the brokers refuse whoever opened one before, in
 * the middle of a transaction too. Only then is it asked whether this process is still the one: whoever takes over later
 * raises the epoch again, so no moment is left in which both may send. A publisher that was put out opens another
 * session, as after any error; the question ends it.
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
   * Resolves once nobody else can publish, however long the brokers are out of reach.
   * @throws what the fence throws; RetryableError `refused` where the brokers don't let it, `stopped`.
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
   * Resolves once all are acknowledged and committed. One attempt: whoever publishes sends again, in another transaction.
   * @throws RetryableError, `refused` where the brokers don't take a message; what the fence throws.
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

  /** Waits for what is in flight. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#options.brokers.close();
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** undefined when all are sent and committed, else why not; the session is then gone. @throws what the fence throws. */
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
      log('debug', `the producer of ${topic} is made anew: ${reasonsOf(error)}`);
      // The next session ends the transaction as well; an abort spares readers of committed records the wait for it.
      if (open) await this.#session?.end(false).catch(() => undefined);
      this.#session = undefined;
      this.#partitions.forget();
      brokers.forgetCoordinators();
      if (error instanceof FatalError || isStopped(error)) throw error;
      return error;
    }
  }

  /** Again, while the transaction before is ending. */
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
