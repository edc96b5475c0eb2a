import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import type { StoredVector } from '../../graph/committed-rows.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
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

/**
 * Sends every vector in the outbox to the embeddings topic. Only names are kept: the vector is read from the store
 * when it is sent, so what goes out is committed, and a row that moves again while waiting is sent once.
 */
export class Publisher {
  /** Arrival of the oldest record behind a vector → acknowledged, ms. */
  readonly latency = new Window();
  published = 0;
  /** Nothing is sent, nor put up for sending, before this process is the graph's one publisher. */
  open = false;
  readonly #waiting: Waiting;
  readonly #owed = new Owed();
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

  /** From here on this process publishes: first what waited when its store was loaded. */
  begin(): void {
    this.open = true;
    this.#sendAll(0, this.#waiting.load(0));
  }

  /** What a commit with these vectors and tombstones writes of the outbox. Once it is written, `add` is given it. */
  prepare(names: readonly EntityKey[]): Outbox {
    return this.#waiting.prepare(names);
  }

  /** Puts what a commit left in the outbox up for sending. */
  add(outbox: Outbox, sent: Sent): void {
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
    const messages = await this.#messages(sweep);
    await this.#delivery.send(messages, 'vectors');
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

  async #messages(sweep: readonly Due[]): Promise<Message[]> {
    const { topic, header, writer } = this.#options;
    const { epoch, space, stepBase } = writer;
    const vectors = await this.#stored(sweep);
    const at = this.#options.watermark();
    // Vectors of one step share their headers, which a sink then encodes once.
    const said = new Map<number, Message['headers']>();
    return sweep.map(({ name }, i) => {
      const vector = vectors[i];
      const step = stepBase + (vector?.step ?? this.#options.step());
      let headers = said.get(step);
      if (headers === undefined) {
        headers = embeddingHeaders({ ...header, step, at, epoch, space });
        said.set(step, headers);
      }
      return { topic, key: name, value: vector?.bytes ?? null, headers };
    });
  }

  /** What the store holds of each. One whose row was handed out again while it was read is read once more. */
  async #stored(sweep: readonly Due[]): Promise<(StoredVector | undefined)[]> {
    const vectors = new Array<StoredVector | undefined>(sweep.length);
    let left = sweep.map(({ name }, i) => ({ name, i }));
    while (left.length > 0) {
      const reused = new Set<number>();
      const stopWatching = this.#options.index.watchReused(reused);
      const found = await this.#read(left).finally(stopWatching);
      left.forEach(({ i }, k) => {
        vectors[i] = found[k]?.vector;
      });
      left = left.filter((_, k) => reused.has(found[k]?.row ?? -1));
    }
    return vectors;
  }

  /**
   * The vector of each, and the row it was read from. The index is ahead of the store: an entity that is erased there, or
   * has another row by now, is as it was until that is committed. Its tombstone, sent before, would be followed by its
   * vector if the process died.
   */
  async #read(named: readonly { readonly name: EntityKey }[]): Promise<(Found | undefined)[]> {
    const { store, index } = this.#options;
    const vectors = await readVectors(
      store,
      named.map(({ name }) => index.find(name)),
    );
    const gone = named.filter((_, i) => vectors[i] === undefined);
    if (gone.length === 0) return vectors;
    const entities = await store.readEntities(gone.map(({ name }) => name));
    const still = await readVectors(
      store,
      entities.map((entity) => entity?.row),
    );
    return vectors.map((vector) => vector ?? still.shift());
  }
}

interface Found {
  readonly row: number;
  readonly vector: StoredVector;
}

/** In the order of `rows`; undefined where there is no row, or nothing in it. */
async function readVectors(
  store: GraphStore,
  rows: readonly (number | undefined)[],
): Promise<(Found | undefined)[]> {
  const vectors = await store.readVectors(rows.filter((row) => row !== undefined));
  return rows.map((row) => {
    const vector = row === undefined ? undefined : vectors.get(row);
    return row === undefined || vector === undefined ? undefined : { row, vector };
  });
}

export interface PublisherOptions {
  readonly store: GraphStore;
  readonly index: EntityIndex;
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
