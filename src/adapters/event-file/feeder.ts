import { BadEvent } from '../../errors/errors.ts';
import type { Message, Sink } from '../../pipeline/ports.ts';
import { pause } from '../backoff.ts';
import { TokenBucket } from '../token-bucket.ts';
import type { FileEvent } from './event-file.ts';

/** The feeder's source of time. */
export interface FeedClock {
  /** Epoch ms. */
  now(): number;
  /** Resolves after `ms`, or when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `work` every `ms` until the returned function is called. */
  every(ms: number, work: () => void): () => void;
}

/** A line without a valid event of the topic. */
export interface BadLine {
  readonly line: number;
  readonly problem: BadEvent;
}

/** Progress of the feeding. */
export interface FeedProgress {
  /** Messages acknowledged. */
  readonly sent: number;
  readonly bad: number;
  /** Number of the last line read, from 1. */
  readonly line: number;
}

export interface FeedOptions {
  readonly events: AsyncIterable<FileEvent>;
  /**
   * The key of a value. timestamp: time of the record to be sent.
   * @throws BadEvent when the value is not an event of the topic.
   */
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
  readonly clock?: FeedClock | undefined;
}

/** A batch is full at the first of these limits. */
const BATCH_MESSAGES = 1000;
const BATCH_BYTES = 512_000;

/** Maximum time that an event of a slow stdin waits for a full batch. */
const LINGER_MS = 200;

/**
 * Sends the events of a file to a topic, each checked as the updater will check it. The next batch is read while one is
 * in flight. Resolves to the progress once everything is acknowledged.
 * @throws the error of the sink or of the events, after sending the events read before.
 */
export async function feed(options: FeedOptions): Promise<FeedProgress> {
  const { signal, limit = Number.POSITIVE_INFINITY } = options;
  const clock = options.clock ?? systemClock;
  const bucket = options.ratePerS === undefined ? undefined : new TokenBucket(options.ratePerS, clock.now);
  const position = { bad: 0, line: 0 };
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
      const message = messageOf(event);
      if (message === undefined) continue;
      const waitMs = bucket?.take() ?? 0;
      if (waitMs > 0) {
        await batches.flush();
        await clock.sleep(waitMs, signal);
      }
      // Only a full batch is awaited: an await for each message would take longer than reading the message.
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

/** Collects messages into batches and sends one batch at a time: order is kept and memory is bounded. */
class MessageBatches {
  readonly #sink: Sink;
  readonly #onSent: () => void;
  #waiting: Message[] = [];
  #waitingBytes = 0;
  #inFlight: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #sent = 0;

  /** onSent: called after each acknowledged batch. */
  constructor(sink: Sink, onSent: () => void) {
    this.#sink = sink;
    this.#onSent = onSent;
  }

  /** Messages acknowledged. */
  get sent(): number {
    return this.#sent;
  }

  /** Takes a message. True: the batch is full, and `flush` must come before the next message. @throws the sink's error. */
  add(message: Message): boolean {
    this.#check();
    this.#waiting.push(message);
    this.#waitingBytes += message.value?.byteLength ?? 0;
    return this.#waiting.length >= BATCH_MESSAGES || this.#waitingBytes >= BATCH_BYTES;
  }

  /** Starts to send the collected messages, after the batch in flight. @throws the sink's error. */
  async flush(): Promise<void> {
    while (this.#inFlight !== undefined) await this.#inFlight;
    this.#check();
    this.nudge();
  }

  /** Like `flush`, but does nothing while a batch is in flight. */
  nudge(): void {
    if (this.#inFlight !== undefined || this.#failure !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#inFlight = this.#send(batch);
  }

  /** Sends everything and waits for the acknowledgements. @throws the sink's error. */
  async drain(): Promise<void> {
    await this.flush();
    while (this.#inFlight !== undefined) await this.#inFlight;
    this.#check();
  }

  /** Never rejects: the next call throws the failure, because no caller may be waiting now. */
  async #send(batch: readonly Message[]): Promise<void> {
    try {
      await this.#sink.publish(batch);
      this.#sent += batch.length;
      this.#onSent();
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#inFlight = undefined;
    }
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

const systemClock: FeedClock = {
  now: Date.now,
  sleep: pause,
  every: (ms, work) => {
    const timer = setInterval(work, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
};
