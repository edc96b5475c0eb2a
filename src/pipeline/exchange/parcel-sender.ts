import type { Log } from '../../log.ts';
import { Delivery } from '../delivery.ts';
import type { Message, Sink } from '../ports.ts';

interface Waiter {
  /** Messages given until the waiter came. */
  readonly given: number;
  resolve(): void;
  reject(error: Error): void;
}

/** Sends parcels in the order given, one transaction after the other, and says when those given so far are acknowledged. */
export class ParcelSender {
  readonly #delivery: Delivery;
  readonly #failed: (error: Error) => void;
  #waiting: Message[] = [];
  #sending = false;
  /** Messages given to be sent, and acknowledged, since the process began. */
  #given = 0;
  #acknowledged = 0;
  #waiters: Waiter[] = [];
  /** What ended the sending. */
  #broken: Error | undefined;

  /** failed: told once of what ends the sending. */
  constructor(options: { sink: Sink; log: Log; failed(error: Error): void }) {
    this.#delivery = new Delivery(options.sink, options.log);
    this.#failed = (error) => options.failed(error);
  }

  /** Whether messages wait for the transaction before theirs. */
  get behind(): boolean {
    return this.#waiting.length > 0;
  }

  /** Sends the messages; returns at once. */
  send(messages: readonly Message[]): void {
    this.#waiting.push(...messages);
    this.#given += messages.length;
    if (this.#sending || this.#waiting.length === 0) return;
    this.#sending = true;
    void this.#sendAll();
  }

  /**
   * Resolves once everything that was given before is acknowledged, whatever comes meanwhile.
   * @throws what ended the sending.
   */
  sent(): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (this.#acknowledged === this.#given) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ given: this.#given, resolve, reject });
    return promise;
  }

  /** Ends the wait for brokers that can't be reached. */
  stop(): void {
    this.#delivery.stop();
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        // What comes while a transaction is open goes with the next one.
        const messages = this.#waiting;
        this.#waiting = [];
        await this.#delivery.send(messages, 'parcels for other shards');
        this.#acknowledged += messages.length;
        this.#settle();
      }
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      this.#broken = reason;
      for (const { reject } of this.#waiters.splice(0)) reject(reason);
      this.#failed(reason);
    } finally {
      this.#sending = false;
    }
  }

  #settle(): void {
    const settled = this.#waiters.filter(({ given }) => given <= this.#acknowledged);
    this.#waiters = this.#waiters.filter(({ given }) => given > this.#acknowledged);
    for (const { resolve } of settled) resolve();
  }
}
