import type { Producer, Transaction } from 'kafkajs';
import { FatalError, RetryableError, reasonOf, TwhinError } from '../../../errors/errors.ts';
import type { Message } from '../../../pipeline/ports.ts';
import { backoffMs, pause } from '../../backoff.ts';
import { keyPartitioner } from './partitioner.ts';
import { METADATA_MS, TopicPartitions } from './partitions.ts';
import { notAcknowledged, type ProducerOptions } from './producer.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { largestBytes, requestsOf } from './requests.ts';

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

/** So long what a frozen writer had open keeps readers of committed records waiting, where nobody takes over. */
const TRANSACTION_MS = 30_000;

/**
 * Sends to one topic as its one publisher, each call in a transaction of its own, one call after the other.
 * Connecting raises the epoch of the transactional id, by which the brokers refuse whoever connected before, in the
 * middle of a transaction too. Only then is it asked whether this process is still the one: whoever takes over later
 * raises the epoch again, so no moment is left in which both may send. A publisher that was put out connects anew, as
 * after any error; the question ends it.
 */
export class FencedProducer {
  readonly #fence: Fence;
  readonly #options: ProducerOptions;
  readonly #choose = keyPartitioner();
  readonly #partitions: TopicPartitions;
  /** What producers that are done with still do. */
  readonly #leaving = new Set<Promise<void>>();
  #tail: Promise<unknown> = Promise.resolve();
  #producer: Promise<Producer> | undefined;

  /** options.kafka: one that gives a request up soon, since each new connection finds out where it stands. */
  constructor(fence: Fence, options: ProducerOptions) {
    this.#fence = fence;
    this.#options = options;
    this.#partitions = new TopicPartitions(fence.topic, options.admin, async () => this.#discard());
  }

  /**
   * Resolves once nobody else can publish, however long the brokers are out of reach.
   * @throws what the fence throws; RetryableError `refused` where the brokers don't let it, `stopped`.
   */
  takeOver(): Promise<void> {
    return this.#inTurn(async () => {
      for (let attempt = 1; !this.#options.stopping.aborted; attempt++) {
        const failure = await this.#attempt([]);
        if (failure === undefined) return;
        const refusal = this.#refusal(failure, []);
        if (refusal !== undefined && !refusal.waits) throw refusal.error;
        const what = `${this.#fence.topic} could not be taken over yet: ${reasonOf(failure)}; trying again`;
        this.#options.log('warn', what);
        await pause(backoffMs(attempt), this.#options.stopping);
      }
      throw new RetryableError('stopped', `the sink is stopped; ${this.#fence.topic} was not taken over`);
    });
  }

  /**
   * Resolves once all are acknowledged and committed.
   * @throws RetryableError, `refused` where the brokers don't take one; what the fence throws.
   */
  send(messages: readonly Message[]): Promise<void> {
    return this.#inTurn(async () => {
      const { giveUpMs, stopping } = this.#options;
      const deadline = Date.now() + giveUpMs;
      for (let attempt = 1; ; attempt++) {
        const failure = await this.#attempt(messages);
        if (failure === undefined) return;
        const refusal = this.#refusal(failure, messages);
        if (refusal !== undefined && !refusal.waits) throw refusal.error;
        if (Date.now() >= deadline || stopping.aborted) {
          throw refusal?.error ?? notAcknowledged(messages.length, this.#fence.topic, this.#options, failure);
        }
        await pause(backoffMs(attempt), stopping);
      }
    });
  }

  /** Waits for what is in flight. */
  async close(): Promise<void> {
    await this.#tail;
    this.#discard();
    await Promise.all(this.#leaving);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** undefined when all are sent and committed, else why not; the producer is then gone. @throws what the fence throws */
  async #attempt(messages: readonly Message[]): Promise<unknown> {
    let transaction: Transaction | undefined;
    try {
      const { topic } = this.#fence;
      const requests = messages.length === 0 ? [] : await this.#requests(messages);
      this.#producer ??= this.#connect();
      const producer = await this.#producer;
      if (requests.length === 0) return undefined;
      transaction = await producer.transaction();
      for (const { messages: list } of requests) {
        await transaction.send({ topic, messages: list, acks: -1, timeout: 10_000 });
      }
      await transaction.commit();
      return undefined;
    } catch (error) {
      this.#options.log('debug', `producer of ${this.#fence.topic} is made anew: ${reasonOf(error)}`);
      this.#discard(transaction);
      this.#partitions.forget();
      if (error instanceof FatalError || isStopped(error)) throw error;
      return error;
    }
  }

  async #requests(messages: readonly Message[]) {
    return requestsOf(this.#fence.topic, messages, await this.#partitions.get(), this.#choose);
  }

  async #connect(): Promise<Producer> {
    const producer = this.#options.kafka.producer({
      transactionalId: this.#fence.id,
      transactionTimeout: TRANSACTION_MS,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_MS,
      createPartitioner: keyPartitioner,
    });
    try {
      await producer.connect();
      // kafkajs asks for its epoch with the first transaction; one that holds nothing ends without a request.
      await (await producer.transaction()).abort();
      await this.#fence.confirm();
      return producer;
    } catch (error) {
      await producer.disconnect();
      throw this.#coordinatorError(error) ?? error;
    }
  }

  /** kafkajs keeps to itself why nobody coordinates the transactions. */
  #coordinatorError(cause: unknown): RetryableError | undefined {
    if (!(cause instanceof Error) || cause.name !== 'KafkaJSGroupCoordinatorNotFound') return undefined;
    const { address, user = 'the user of this client' } = this.#options;
    const message = `no broker at ${address} coordinates transactional id ${this.#fence.id}: they are out of reach, or WRITE on it is not granted to ${user}`;
    return new RetryableError('no-coordinator', message, { cause });
  }

  /**
   * Lets go of the producer, without waiting: the next one's connecting ends its transaction as well. Where there will
   * be none, an abort spares readers of committed records the wait for its timeout.
   */
  #discard(transaction?: Transaction): void {
    const last = this.#producer;
    this.#producer = undefined;
    if (last === undefined) return;
    const leave = async (): Promise<void> => {
      if (transaction?.isActive() === true) {
        await transaction.abort().catch((error: unknown) => {
          this.#options.log('debug', `a transaction of ${this.#fence.id} is left to end: ${reasonOf(error)}`);
        });
      }
      // One that never connected said so to the attempt that made it.
      const producer = await last.catch(() => undefined);
      await producer?.disconnect();
    };
    const leaving = leave().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #refusal(failure: unknown, messages: readonly Message[]): Refusal | undefined {
    const { topic, id: transactionalId } = this.#fence;
    const { user } = this.#options;
    return refusalOf(failure, { topic, user, transactionalId, largestBytes: largestBytes(messages) });
  }
}

function isStopped(error: unknown): boolean {
  return error instanceof TwhinError && error.code === 'stopped';
}
