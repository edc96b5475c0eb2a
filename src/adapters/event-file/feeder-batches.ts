import type { Message, Sink } from '../../pipeline/ports.ts';

/** A batch is full at the first of these limits. */
const BATCH_MESSAGES = 1000;
const BATCH_BYTES = 512_000;

/** Collects messages into batches and sends one batch at a time: order is kept and memory is bounded. */
export class MessageBatches {
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
