import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { StoredVector } from '../../graph/graph-store.ts';
import type { OutboxPart } from '../../graph/outbox.ts';
import { Delivery } from '../delivery.ts';
import type { Measures } from '../measures.ts';
import type { Message } from '../ports.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Window } from '../window.ts';
import type { CommittedRows, RelationVectors } from './relation-vectors.ts';
import { type Due, type Outbox, type Put, type PutBy, Waiting } from './waiting.ts';
import type { Writer } from './writer.ts';

/** Vectors read and sent at a time; with 512-byte vectors about 1 MB. */
const SWEEP = 2_000;
/**
 * While more than MANY vectors wait, LONG_SWEEP are sent at a time: a transaction costs a round trip for each
 * partition, whatever its size, and none of these vectors is fresh.
 */
const MANY = 10 * SWEEP;
const LONG_SWEEP = 4 * SWEEP;

/**
 * Sends every vector in the outbox to the embeddings topic, and relation vectors to the model topic. Vectors of the last commit are taken from its own rows,
 * others from the store, so that what goes out is committed, memory stays bounded, and a row that moves again while it
 * waits is sent once.
 */
export class Publisher {
  /** Time from the arrival of the oldest record behind a vector to its acknowledgement, ms. */
  readonly latency = new Window();
  published = 0;
  /** False until this process is the graph's one publisher: nothing is sent or put up before. */
  open = false;
  readonly #waiting: Waiting;
  /** The rows of the last commit, [n, dim + 2]. Their memory is used again once the next commit is written. */
  #last: { readonly commit: number; readonly step: number; readonly floats: Float32Array } | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#waiting = new Waiting(options.outbox);
    this.delivery = new Delivery(options.sink, options.log);
  }

  /** Vectors and tombstones not yet acknowledged. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Arrival of the oldest record whose vector waits, epoch ms; undefined where no vector waits. */
  get oldest(): number | undefined {
    return this.#waiting.first?.since;
  }

  /** Stored parts of the outbox with nothing left to send: the next commit deletes them. */
  get cleared(): number {
    return this.#waiting.cleared;
  }

  /** Begins to publish, with the stored outbox as of the last commit's step. rowOf: the stored row of an entity. */
  begin(step: number, rowOf: (name: EntityKey) => number | undefined): void {
    this.open = true;
    this.#waiting.load(step, rowOf);
    this.#send();
  }

  /** What a commit that puts these up writes of the outbox. Once it is written, the result goes to `add`. */
  prepare(puts: readonly Put[]): Outbox {
    return this.#waiting.prepare(puts);
  }

  /** Puts up what a commit wrote. */
  async add(outbox: Outbox, by: PutBy, written: CommittedRows): Promise<void> {
    this.#last = { commit: by.commit, step: by.step, floats: written.floats };
    this.#options.relations?.take(written, by.step);
    await this.#waiting.add(outbox, by);
    this.#send();
  }

  /** Resolves when nothing is left to send, or sending was stopped; rejects with what failed. */
  async drained(): Promise<void> {
    this.#options.relations?.flush();
    this.#send();
    while (this.#running) await this.#running;
    if (this.#failure) throw this.#failure;
  }

  /** Ends sending after the sweep in flight; what is left stays in the stored outbox. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.delivery.stop();
    await this.#running;
  }

  /** Begins to send what is due, unless that is under way. */
  #send(): void {
    if (!this.open || !this.#isDue || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  get #isDue(): boolean {
    return this.#waiting.inQueue > 0 || this.#options.relations?.due === true;
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
    const { clock, measures, relations } = this.#options;
    const began = clock();
    const sweep = this.#waiting.take(this.#waiting.inQueue > MANY ? LONG_SWEEP : SWEEP);
    const messages = this.#messages(sweep, await this.#vectors(sweep));
    const ofRelations = (await relations?.messages()) ?? [];
    const all = ofRelations.length > 0 ? [...messages, ...ofRelations] : messages;
    if (all.length > 0) await this.delivery.send(all, 'vectors');
    relations?.acknowledged();
    const now = clock();
    for (const { since, eventAt } of sweep) {
      if (since === undefined) continue;
      this.latency.add(now - since);
      if (eventAt !== undefined) measures.fresh?.(now - since, now - eventAt);
    }
    this.#waiting.acknowledged();
    this.published += messages.length;
    if (sweep.length > 0) measures.publish?.(now - began);
  }

  /** The committed vector of each entity: a copy from the last commit's rows, or else the store's. */
  async #vectors(sweep: readonly Due[]): Promise<(StoredVector | undefined)[]> {
    const vectors = sweep.map((due) => this.#written(due));
    const rows = sweep.flatMap(({ row }, i) => (row === undefined || vectors[i] ? [] : [row]));
    if (rows.length === 0) return vectors;
    const stored = await this.#options.store.readVectors(rows);
    return sweep.map(({ row }, i) => vectors[i] ?? (row === undefined ? undefined : stored.get(row)));
  }

  #written({ commit, row, place }: Due): StoredVector | undefined {
    const last = this.#last;
    if (row === undefined || place < 0 || commit !== last?.commit) return undefined;
    const { dim } = this.#options.header;
    const { buffer, byteOffset } = last.floats;
    const bytes = Buffer.from(new Uint8Array(buffer, byteOffset + place * (dim + 2) * 4, dim * 4));
    return { bytes, step: last.step };
  }

  /** The messages of a sweep, without entities that lost their row while the vectors were read. */
  #messages(sweep: readonly Due[], vectors: readonly (StoredVector | undefined)[]): Message[] {
    const { topic, header, writer } = this.#options;
    const { epoch, space, stepBase } = writer;
    const at = this.#options.watermark();
    // Vectors of one step share their headers, so that a sink can encode them once.
    const said = new Map<number, Message['headers']>();
    return sweep.flatMap((due, i) => {
      if (this.#waiting.isVoid(due)) return [];
      const vector = vectors[i];
      // A tombstone has the step of its own commit: a later commit may be written by now, and may bring the entity back.
      const step = stepBase + (vector?.step ?? due.step);
      let headers = said.get(step);
      if (headers === undefined) {
        headers = embeddingHeaders({ ...header, step, at, epoch, space });
        said.set(step, headers);
      }
      return [{ topic, key: due.name, value: vector?.bytes ?? null, headers }];
    });
  }
}

export interface PublisherOptions extends Pick<UpdaterOptions, 'store' | 'sink' | 'log' | 'clock'> {
  /** Full name of the embeddings topic. */
  readonly topic: string;
  readonly header: {
    readonly graph: string;
    readonly dim: number;
    readonly dtype: 'float32';
    readonly fingerprint: string;
  };
  readonly writer: Writer;
  /** Sent in the same transactions; absent where they go nowhere. */
  readonly relations?: RelationVectors | undefined;
  /** The stored outbox; empty in a fresh store. */
  readonly outbox?: readonly OutboxPart[];
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  readonly measures: Measures;
  /** Told of the failure that ends sending. */
  failed(error: Error): void;
}
