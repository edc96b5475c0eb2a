import { reasonOf, TwhinError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import { patiently } from './patience.ts';
import type { Message, Sink } from './ports.ts';

/** Codes of failed sends; `other` stands for every code that is not listed, which bounds the metric's labels. */
export const SEND_FAILURES = [
  'not-acknowledged',
  'refused',
  'message-too-large',
  'letter-lost',
  'topic-missing',
  'broker-unreachable',
  'broker-refused',
  'not-appended',
  'fenced',
  'other',
] as const;
export type SendFailure = (typeof SEND_FAILURES)[number];

/** The word for dead letters. */
export const LETTERS = 'dead letters';
/** Most bytes of several letters, without the names of headers: a sink has so many in one batch, and a topic takes all or none. */
const LETTERS_BYTES = 500_000;
const TOO_LARGE = 'message-too-large';

/** Sends messages until they are acknowledged, however long the log is out of reach. The one place that retries a send. */
export class Delivery {
  retries = 0;
  /** Failed sends by code: those that were retried, and the last one where sending ended. */
  readonly failures = new Map<SendFailure, number>(SEND_FAILURES.map((code) => [code, 0]));
  /** What is not acknowledged and why the last attempt failed, a phrase by the word for the messages. */
  readonly troubles = new Map<string, string>();
  readonly #sink: Sink;
  readonly #log: Log;
  readonly #stopping = new AbortController();

  constructor(sink: Sink, log: Log) {
    this.#sink = sink;
    this.#log = log;
  }

  /**
   * Resolves once all messages are acknowledged. what: a word for the messages, for the log.
   * @throws what the sink throws, where another attempt would not help or its code is `last`; RetryableError `stopped` after `stop`.
   */
  async send(messages: readonly Message[], what: string, last?: string): Promise<void> {
    if (messages.length === 0) return;
    const attempt = () =>
      this.#sink.publish(messages).catch((error: unknown) => {
        this.#count(codeOf(error));
        throw error;
      });
    await patiently(attempt, this.#stopping.signal, (error, backoffMs) => {
      const { code, message: reason } = error;
      if (code === last) throw error;
      this.retries++;
      this.troubles.set(what, `${what} are not acknowledged: ${reason}`);
      this.#log.warn(
        { messages: messages.length, code, reason, backoffMs },
        `${what} could not be published; trying again`,
      );
    }).finally(() => this.troubles.delete(what));
  }

  /**
   * As `send`, of dead letters, none of which stops anything by its size: one that its topic refuses as too large is sent in its least
   * form, and one that is refused even so is counted, told and left out.
   */
  async sendLetters(letters: readonly Message[]): Promise<void> {
    const half = letters.length >> 1;
    const parts = letters.flatMap(({ key, value, headers }) => [key, value, ...Object.values(headers)]);
    if (half === 0 || parts.reduce((sum, part) => sum + (part?.length ?? 0), 0) <= LETTERS_BYTES) {
      try {
        return await this.send(letters, LETTERS, TOO_LARGE);
      } catch (error) {
        if (codeOf(error) !== TOO_LARGE) throw error;
        if (half === 0) return this.#sendLess(letters[0]!, reasonOf(error));
      }
    }
    await this.sendLetters(letters.slice(0, half));
    await this.sendLetters(letters.slice(half));
  }

  async #sendLess({ least, headers }: Message, reason: string): Promise<void> {
    if (least) return this.sendLetters([least]);
    this.#count('letter-lost');
    const { 'source-topic': source, 'source-partition': partition, 'source-offset': offset } = headers;
    this.#log.error(
      { source, partition, offset, reason },
      'a dead letter is lost: its topic refuses even place and reason as too large',
    );
  }

  /** Ends the wait for another attempt. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Counts a failure; a sink that was stopped did not fail. */
  #count(code: string | undefined): void {
    if (code === 'stopped') return;
    const failure = SEND_FAILURES.find((known) => known === code) ?? 'other';
    this.failures.set(failure, (this.failures.get(failure) ?? 0) + 1);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof TwhinError ? error.code : undefined;
}
