import { type EmbeddingHeaders, embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import { Delivery } from '../delivery.ts';
import type { Measures } from '../measures.ts';
import type { Message } from '../ports.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Window } from '../window.ts';
import { keyOf, Outbox, type Puts } from './outbox.ts';
import type { RelationVectors } from './relation-vectors.ts';
import type { Writer } from './writer.ts';

/** Bytes sent at a time, about, and those of a message beside its vector. A transaction costs some round trips, whatever its size. */
const [SWEEP_BYTES, AROUND_BYTES] = [8 * 2 ** 20, 240];

/** One of what a commit puts up, as a message. Key and value are views, made where they are read. */
class Sent implements Message {
  readonly topic: string;
  readonly headers: Message['headers'];
  readonly #of: Puts;
  readonly #place: number;

  constructor(topic: string, headers: Message['headers'], of: Puts, place: number) {
    this.topic = topic;
    this.headers = headers;
    this.#of = of;
    this.#place = place;
  }

  get key(): Buffer {
    return keyOf(this.#of, this.#place);
  }

  get value(): Uint8Array | null {
    const { rows, vectors } = this.#of;
    if (this.#place >= rows.length) return null;
    const bytes = vectors.byteLength / rows.length;
    return new Uint8Array(vectors.buffer, vectors.byteOffset + this.#place * bytes, bytes);
  }
}

/**
 * Sends every vector that commits put up to the embeddings topic, and relation vectors to the model topic. A vector is put up
 * once its commit is written, so that what goes out is committed, and one that moves again while it waits is sent once.
 */
export class Publisher {
  /** Time from the arrival of the oldest record behind a vector to its acknowledgement, ms. */
  readonly latency = new Window();
  readonly outbox = new Outbox();
  #open = false;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.delivery = new Delivery(options.sink, options.log);
  }

  get open(): boolean {
    return this.#open;
  }

  /** To be called once this process is the graph's one publisher: nothing is sent or put up before. */
  begin(): void {
    this.#open = true;
  }

  /** Has all relation vectors sent again: their topic was made again. */
  publishAgain(): void {
    this.#options.relations?.again();
  }

  /** Puts up what a commit wrote, each entity once. relations: see `RelationVectors.take`. */
  async add(puts: Puts, relations: Float32Array): Promise<void> {
    this.#options.relations?.take(relations, puts.by.step);
    await this.outbox.add(puts);
    this.#send();
  }

  /** Resolves when nothing is left to send, or sending was stopped; rejects with what failed. */
  async drained(): Promise<void> {
    this.#options.relations?.flush();
    this.#send();
    while (this.#running) await this.#running;
    if (this.#failure) throw this.#failure;
  }

  /** Ends sending after the sweep in flight; what is left is put up again after a start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.delivery.stop();
    await this.#running;
  }

  /** Begins to send what is due, unless that is under way. */
  #send(): void {
    if (!this.#open || !this.#isDue || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  get #isDue(): boolean {
    return !this.outbox.isEmpty || this.#options.relations?.due === true;
  }

  async #run(): Promise<void> {
    try {
      while (this.#isDue && !this.#stopped) await this.#sweep();
    } catch (error) {
      if (this.#stopped) return;
      this.#failure = error instanceof Error ? error : new Error(reasonOf(error));
      this.#options.failed(this.#failure);
    } finally {
      this.#running = undefined;
    }
  }

  async #sweep(): Promise<void> {
    const { clock, measures, relations, header, topic, writer, watermark } = this.#options;
    const { epoch, space, stepBase } = writer;
    const began = clock();
    const most = Math.ceil(SWEEP_BYTES / (4 * header.dim + AROUND_BYTES));
    // Vectors of one step share their headers, so that a sink can encode them once.
    const said = new Map<number, Message['headers']>();
    const messages = this.outbox.take(most, (of, place) => {
      const { step } = of.by;
      const headers =
        said.get(step) ??
        embeddingHeaders({ ...header, step: stepBase + step, at: watermark(), epoch, space });
      said.set(step, headers);
      return new Sent(topic, headers, of, place);
    });
    const { length: count } = messages;
    messages.push(...(relations?.messages() ?? []));
    if (messages.length > 0) await this.delivery.send(messages, 'vectors');
    relations?.acknowledged();
    const now = clock();
    await this.outbox.acknowledge((since, eventAt) => {
      this.latency.add(now - since);
      if (!Number.isNaN(eventAt)) measures.fresh?.(now - since, now - eventAt);
    });
    if (count > 0) measures.publish?.(now - began);
  }
}

export interface PublisherOptions extends Pick<UpdaterOptions, 'sink' | 'log' | 'clock'> {
  /** Full name of the embeddings topic. */
  readonly topic: string;
  readonly header: Pick<EmbeddingHeaders, 'graph' | 'dim' | 'dtype' | 'fingerprint'>;
  readonly writer: Writer;
  /** Sent in the same transactions; absent where they go nowhere. */
  readonly relations?: RelationVectors | undefined;
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  readonly measures: Measures;
  /** Told of the failure that ends sending. */
  failed(error: Error): void;
}
