import { TwhinError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import { patiently } from './patience.ts';
import type { Message, Sink } from './ports.ts';

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

/** Sends messages until they are acknowledged, however long the log is out of reach. The one place that retries a send. */
export class Delivery {
  retries = 0;
  /** Failed sends by code: those that were retried, and the last one where sending ended. */
  readonly failures = new Map<SendFailure, number>(SEND_FAILURES.map((code) => [code, 0]));
  /** Why the last attempt failed; undefined after one that succeeded. */
  trouble: string | undefined;
  readonly #sink: Sink;
  readonly #log: Log;
  readonly #stopping = new AbortController();

  constructor(sink: Sink, log: Log) {
    this.#sink = sink;
    this.#log = log;
  }

  /**
   * Resolves once all messages are acknowledged. what: a word for the messages, for the log.
   * @throws what the sink throws, where another attempt would not help; RetryableError `stopped` after `stop`.
   */
  async send(messages: readonly Message[], what: string): Promise<void> {
    const attempt = () =>
      this.#sink.publish(messages).catch((error: unknown) => {
        this.#count(error);
        throw error;
      });
    await patiently(attempt, this.#stopping.signal, ({ code, message: reason }, backoffMs) => {
      this.retries++;
      this.trouble = reason;
      this.#log.warn(
        { messages: messages.length, code, reason, backoffMs },
        `${what} could not be published; trying again`,
      );
    });
    this.trouble = undefined;
  }

  /** Ends the wait for another attempt. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Counts a failure; a sink that was stopped did not fail. */
  #count(error: unknown): void {
    const code = error instanceof TwhinError ? error.code : undefined;
    if (code === 'stopped') return;
    const failure = SEND_FAILURES.find((known) => known === code) ?? 'other';
    this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
  }
}
