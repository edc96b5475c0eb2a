import { setTimeout as delay } from 'node:timers/promises';
import { BadEvent } from '../../errors/errors.ts';
import type { Message, Sink } from '../../pipeline/ports.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { FileEvent } from './event-file.ts';
import { MessageBatches } from './feeder-batches.ts';

/** Time as the feeder needs it. */
export interface FeedClock {
  /** Epoch ms. */
  now(): number;
  /** Resolves after `ms`, or when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `work` again and again until the function given back is called. */
  every(ms: number, work: () => void): () => void;
}

/** A line that holds no event of the topic. */
export interface BadLine {
  readonly line: number;
  readonly problem: BadEvent;
}

/** How far the feeding is. */
export interface FeedProgress {
  /** Messages acknowledged. */
  readonly sent: number;
  readonly bad: number;
  /** The last line read, from 1. */
  readonly line: number;
  readonly bytesRead: number;
}

export interface FeedOptions {
  readonly events: AsyncIterable<FileEvent>;
  /**
   * The key a value is sent under, `timestamp` being the time its record will have.
   * @throws BadEvent when the value is no event of the topic.
   */
  readonly keyOf: (value: Buffer, timestamp: number) => string;
  readonly sink: Sink;
  /** With the prefix. */
  readonly topicName: string;
  /** Sends bad lines too, without a key, as far as they could be read at all. They count as bad all the same. */
  readonly raw?: boolean | undefined;
  readonly ratePerS?: number | undefined;
  /** Stops after this many messages. */
  readonly limit?: number | undefined;
  readonly onProgress?: ((progress: FeedProgress) => void) | undefined;
  readonly onBad?: ((bad: BadLine) => void) | undefined;
  /** Stops reading; what was read is still sent. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: FeedClock | undefined;
}

/** A slow stdin is not held back for a full batch for longer than this. */
const LINGER_MS = 200;

/**
 * Sends the events of a file to a topic, each checked as it will be on the way in. One batch is on its way while the
 * next is read.
 * Gives the progress at the end, when everything sent is acknowledged.
 * @throws whatever the sink or the events throw, after sending what was read before.
 */
export async function feed(options: FeedOptions): Promise<FeedProgress> {
  const { signal, limit = Number.POSITIVE_INFINITY } = options;
  const clock = options.clock ?? systemClock;
  const bucket = options.ratePerS === undefined ? undefined : new TokenBucket(options.ratePerS, clock.now);
  const position = { bad: 0, line: 0, bytesRead: 0 };
  let queued = 0;
  const progress = (): FeedProgress => ({ sent: batches.sent, ...position });
  const batches = new MessageBatches(options.sink, () => options.onProgress?.(progress()));

  const messageOf = (event: FileEvent): Message | undefined => {
    const { key, problem } = checked(event, options.keyOf, clock.now());
    if (problem !== undefined) {
      position.bad++;
      options.onBad?.({ line: event.line, problem });
    }
    if (event.raw === null || (problem !== undefined && options.raw !== true)) return undefined;
    return { topic: options.topicName, key, value: event.raw, headers: {} };
  };

  const stopTicking = clock.every(LINGER_MS, () => batches.nudge());
  try {
    for await (const event of limit > 0 ? options.events : []) {
      if (signal?.aborted === true) break;
      position.line = event.line;
      position.bytesRead = event.bytesRead;
      const message = messageOf(event);
      if (message === undefined) continue;
      const waitMs = bucket?.take() ?? 0;
      if (waitMs > 0) {
        await batches.flush();
        await clock.sleep(waitMs, signal);
      }
      // Not awaited message by message: that alone would take longer than reading them.
      if (batches.add(message)) await batches.flush();
      queued++;
      if (queued >= limit) break;
    }
  } finally {
    stopTicking();
    await batches.drain();
  }
  return progress();
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

const systemClock: FeedClock = {
  now: Date.now,
  sleep: async (ms, signal) => {
    const options = signal === undefined ? {} : { signal };
    await delay(ms, undefined, options).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
  },
  every: (ms, work) => {
    const timer = setInterval(work, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
