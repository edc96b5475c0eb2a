import { RetryableError, TwhinError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { Message, Sink } from './ports.ts';

const FIRST_BACKOFF_MS = 200;
const MAX_BACKOFF_MS = 10_000;

/** Codes of failed sends; `other` stands for every code that is not listed, which bounds the metric's labels. */
export const SEND_FAILURES = [
  'not-acknowledged',
  'refused',
  'topic-missing',
  'broker-unreachable',
  'broker-refused',
  'not-appended',
  'fenced',
  'other',
] as const;
export type SendFailure = (typeof SEND_FAILURES)[number];

/**
 * Sends messages until they are acknowledged, however long the log is out of reach. The one place that retries a
 * send.
 */
export class Delivery {
  /** Sends that were retried. */
  retries = 0;
  /** Failed sends by code: those that were retried, and the last one where sending ended. */
  readonly failures = new Map<SendFailure, number>(SEND_FAILURES.map((code) => [code, 0]));
  /** Why the last attempt failed; undefined after one that succeeded. */
  trouble: string | undefined;
  readonly #sink: Sink;
  readonly #log: Log;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(sink: Sink, log: Log) {
    this.#sink = sink;
    this.#log = log;
  }

  /**
   * Resolves once all messages are acknowledged. what: a word for the messages, for the log.
   * @throws what the sink throws, where another attempt would not help or `stop` was called.
   */
  async send(messages: readonly Message[], what: string): Promise<void> {
    for (let backoffMs = FIRST_BACKOFF_MS; ; backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS)) {
      try {
        await this.#sink.publish(messages);
        this.trouble = undefined;
        return;
      } catch (error) {
        this.#count(error);
        if (!(error instanceof RetryableError) || this.#stopped) throw error;
        this.retries++;
        this.trouble = error.message;
        this.#log.warn(
          { messages: messages.length, code: error.code, reason: error.message, backoffMs },
          `${what} could not be published; trying again`,
        );
        await this.#pause(backoffMs);
      }
    }
  }

  /** Ends a pause; the send behind it gets one more attempt. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Counts a failure; a sink that was stopped did not fail. */
  #count(error: unknown): void {
    const code = error instanceof TwhinError ? error.code : undefined;
    if (code === 'stopped') return;
    const failure = SEND_FAILURES.find((known) => known === code) ?? 'other';
    this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    return promise.finally(() => clearTimeout(timer));
  }
}
