import { BadEvent } from '../../errors/errors.ts';
import type { Message, Sink } from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import type { FileEvent } from './event-file.ts';

/** A line without a valid event of the topic. */
export type BadLine = Required<Pick<FileEvent, 'line' | 'problem'>>;

export interface FeedProgress {
  /** Messages acknowledged. */
  readonly sent: number;
  readonly bad: number;
  /** Number of the last line read, from 1. */
  readonly line: number;
}

export interface FeedOptions {
  readonly events: AsyncIterable<FileEvent>;
  /** The key of a value. timestamp: time of the record to be sent. @throws BadEvent when the value is not an event of the topic. */
  readonly keyOf: (value: Buffer, timestamp: number) => string;
  readonly sink: Sink;
  /** Full name, with the prefix. */
  readonly topicName: string;
  /** Sends bad lines too, without a key, unless they are too long to be read. They still count as bad. */
  readonly raw?: boolean | undefined;
  readonly ratePerS?: number | undefined;
  /** Stops after this many messages. */
  readonly limit?: number | undefined;
  readonly onProgress?: ((progress: FeedProgress) => void) | undefined;
  readonly onBad?: ((bad: BadLine) => void) | undefined;
  /** Stops the reading; the events already read are still sent. */
  readonly signal?: AbortSignal | undefined;
}

/** A batch is full at the first of these limits. */
const BATCH_MESSAGES = 1000;
const BATCH_BYTES = 512_000;

/** Maximum time that an event of a slow stdin waits for a full batch. */
const LINGER_MS = 200;
/** How far sending runs ahead of its rate: the waits between single messages would be shorter than a timer can keep. */
const AHEAD_MS = 100;
const ROUNDING_MS = 0.001;

/**
 * Sends the events of a file to a topic, each checked as the updater will check it. The next batch is read while one is
 * in flight: order is kept and memory is bounded. Resolves to the progress once everything is acknowledged.
 * @throws the error of the sink or of the events, after sending the events read before.
 */
export async function feed(options: FeedOptions): Promise<FeedProgress> {
  const { sink, signal, limit = Number.POSITIVE_INFINITY, ratePerS = Number.POSITIVE_INFINITY } = options;
  const progress = { sent: 0, bad: 0, line: 0 };
  let batch: Message[] = [];
  let bytes = 0;
  let sending: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;

  /** Sends the collected messages, unless a batch is in flight. */
  const nudge = (): void => {
    if (sending !== undefined || failure !== undefined || batch.length === 0) return;
    const messages = batch;
    batch = [];
    bytes = 0;
    // It never rejects: the next flush throws the failure, because no caller may be waiting now.
    sending = sink
      .publish(messages)
      .then(() => {
        progress.sent += messages.length;
        options.onProgress?.({ ...progress });
      })
      .catch((error: unknown) => {
        failure = { error };
      })
      .finally(() => {
        sending = undefined;
      });
  };
  const idle = async (): Promise<void> => {
    while (sending !== undefined) await sending;
    if (failure !== undefined) throw failure.error;
  };
  const flush = async (): Promise<void> => {
    await idle();
    nudge();
  };

  const ticking = setInterval(nudge, LINGER_MS).unref();
  const everyMs = 1000 / ratePerS;
  let due = Date.now();
  let queued = 0;
  try {
    for await (const event of limit > 0 ? options.events : []) {
      if (signal?.aborted === true) break;
      progress.line = event.line;
      const { key, problem } = checked(event, options.keyOf, Date.now());
      if (problem !== undefined) {
        progress.bad++;
        options.onBad?.({ line: event.line, problem });
      }
      if (event.raw === null || (problem !== undefined && options.raw !== true)) continue;
      const aheadMs = due - Date.now();
      if (aheadMs > Math.max(AHEAD_MS, everyMs) - ROUNDING_MS) {
        await flush();
        await pause(aheadMs, signal);
      }
      due = Math.max(due, Date.now()) + everyMs;
      batch.push({ topic: options.topicName, key, value: event.raw, headers: {} });
      bytes += event.raw.byteLength;
      // Only a full batch is awaited: an await for each message would take longer than reading the message.
      if (batch.length >= BATCH_MESSAGES || bytes >= BATCH_BYTES) await flush();
      if (++queued >= limit) break;
    }
  } finally {
    clearInterval(ticking);
    await flush();
    await idle();
  }
  return progress;
}

function checked(
  event: FileEvent,
  keyOf: FeedOptions['keyOf'],
  timestamp: number,
): { key: string | null; problem?: BadEvent } {
  if (event.problem !== undefined || event.raw === null) {
    return { key: null, problem: event.problem ?? new BadEvent('too-large', 'the line could not be read') };
  }
  try {
    return { key: keyOf(event.raw, timestamp) };
  } catch (error) {
    if (error instanceof BadEvent) return { key: null, problem: error };
    throw error;
  }
}
