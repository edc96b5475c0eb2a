import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { GraphStore, StoredVector } from '../../graph/graph-store.ts';
import type { OutboxPart } from '../../graph/outbox.ts';
import type { Log } from '../../log.ts';
import type { ByCommit, Measures } from '../measures.ts';
import type { Message, Sink } from '../ports.ts';
import { Window } from '../window.ts';
import { Delivery, type SendFailure } from './delivery.ts';
import { Owed } from './owed.ts';
import { type Due, type Outbox, type Sent, Waiting } from './waiting.ts';
import type { Writer } from './writer.ts';

/** Vectors read and sent at a time; with 512-byte vectors about 1 MB. */
const SWEEP = 2_000;
/**
 * While so many wait, so many at a time: a transaction waits for the brokers as often as it has partitions, whatever it
 * holds, and none of these is fresh.
 */
const MANY = 10 * SWEEP;
const LONG_SWEEP = 4 * SWEEP;

/** The rows of a commit, [n, dim + 2], for as long as it is the last one: then their memory is used again. */
export interface WrittenRows {
  readonly commit: number;
  readonly step: number;
  readonly floats: Float32Array;
}

/**
 * Sends every vector in the outbox to the embeddings topic. Vectors of the last commit are taken from its own rows,
 * others from the store, so that what goes out is committed, memory stays bounded, and a row that moves again while it
 * waits is sent once.
 */
export class Publisher {
  /** Arrival of the oldest record behind a vector → acknowledged, ms. */
  readonly latency = new Window();
  published = 0;
  /** Nothing is sent, nor put up for sending, before this process is the graph's one publisher. */
  open = false;
  readonly #waiting: Waiting;
  readonly #owed = new Owed();
  #last: WrittenRows | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly #delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#waiting = new Waiting(options.outbox);
    this.#delivery = new Delivery(options.sink, options.log);
  }

  /** Sends that had to be made again. */
  get retries(): number {
    return this.#delivery.retries;
  }

  /** Sends that failed, by why. */
  get failures(): ReadonlyMap<SendFailure, number> {
    return this.#delivery.failures;
  }

  /** Why the sends in hand do not get through; undefined while they do. */
  get trouble(): string | undefined {
    return this.#delivery.trouble;
  }

  /** Vectors and tombstones not yet acknowledged. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Arrival of the oldest record that waits for its vector, epoch ms; undefined where none does. */
  get oldest(): number | undefined {
    return this.#waiting.first?.since;
  }

  /** Stored parts of the outbox with nothing in them that waits: the next commit deletes them. */
  get cleared(): number {
    return this.#waiting.cleared;
  }

  /** From here on this process publishes: first what waited when its store was loaded. rowOf: of an entity as stored. */
  begin(rowOf: (name: EntityKey) => number | undefined): void {
    this.open = true;
    this.#sendAll(0, this.#waiting.load(0, rowOf));
  }

  /** What a commit with these vectors and tombstones writes of the outbox. Once it is written, `add` is given it. */
  prepare(names: readonly EntityKey[]): Outbox {
    return this.#waiting.prepare(names);
  }

  /** Puts what a commit left in the outbox up for sending. */
  add(outbox: Outbox, sent: Sent, written?: Omit<WrittenRows, 'commit'>): void {
    this.#last = written && { commit: sent.commit, ...written };
    const again = this.#waiting.add(outbox, sent);
    this.#sendAll(sent.commit, outbox.names.length);
    this.#pay(again);
  }

  /** Resolves when nothing is left to send, or sending was stopped; rejects with what failed. */
  async drained(): Promise<void> {
    while (this.#running) await this.#running;
    if (this.#failure) throw this.#failure;
  }

  /** Ends sending after the sweep in flight; what is left stays in the stored outbox. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#delivery.stop();
    await this.#running;
  }

  /** put: how many vectors the commit put up. */
  #sendAll(commit: number, put: number): void {
    this.#owed.add(commit, put);
    if (put === 0) this.#options.measures.acknowledged(commit);
    if (!this.open || this.#waiting.inQueue === 0 || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (this.#waiting.inQueue > 0 && !this.#stopped) await this.#sweep();
    } catch (error) {
      if (this.#stopped) return;
      this.#failure = error instanceof Error ? error : new Error(reasonOf(error));
      this.#options.failed(this.#failure);
    } finally {
      this.#running = undefined;
    }
  }

  async #sweep(): Promise<void> {
    const { clock, measures } = this.#options;
    const began = clock();
    const sweep = this.#waiting.take(this.#waiting.inQueue > MANY ? LONG_SWEEP : SWEEP);
    const messages = this.#messages(sweep, await this.#vectors(sweep));
    if (messages.length > 0) await this.#delivery.send(messages, 'vectors');
    const now = clock();
    for (const { since, eventAt } of sweep) {
      if (since === undefined) continue;
      this.latency.add(now - since);
      if (eventAt !== undefined) measures.fresh(now - since, now - eventAt);
    }
    const by = this.#waiting.acknowledged();
    this.published += messages.length;
    measures.publish(messages.length, now - began, by);
    this.#pay(by);
  }

  #pay(by: ByCommit): void {
    for (const [commit, vectors] of by) {
      if (this.#owed.pay(commit, vectors)) this.#options.measures.acknowledged(commit);
    }
  }

  /** The committed vector of each: from the last commit's own rows, which are copied, or else from the store. */
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

  /**
   * What to send of a sweep. An entity whose row was taken from it while the vector was read is left out: what the store
   * holds on that row may be another entity's by now, and a tombstone or a vector of the new row waits behind.
   */
  #messages(sweep: readonly Due[], vectors: readonly (StoredVector | undefined)[]): Message[] {
    const { topic, header, writer } = this.#options;
    const { epoch, space, stepBase } = writer;
    const at = this.#options.watermark();
    // Vectors of one step share their headers, which a sink then encodes once.
    const said = new Map<number, Message['headers']>();
    return sweep.flatMap(({ name, state }, i) => {
      if (state === 'void') return [];
      const vector = vectors[i];
      const step = stepBase + (vector?.step ?? this.#options.step());
      let headers = said.get(step);
      if (headers === undefined) {
        headers = embeddingHeaders({ ...header, step, at, epoch, space });
        said.set(step, headers);
      }
      return [{ topic, key: name, value: vector?.bytes ?? null, headers }];
    });
  }
}

export interface PublisherOptions {
  readonly store: GraphStore;
  readonly sink: Sink;
  /** Full name of the embeddings topic. */
  readonly topic: string;
  readonly header: {
    readonly graph: string;
    readonly dim: number;
    readonly dtype: 'float32';
    readonly fingerprint: string;
  };
  readonly writer: Writer;
  /** What the store holds of it; nothing in a fresh one. */
  readonly outbox?: readonly OutboxPart[];
  /** Step of the last commit, for tombstones. */
  step(): number;
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  clock(): number;
  readonly log: Log;
  readonly measures: Measures;
  /** Sending can't go on. */
  failed(error: Error): void;
}
