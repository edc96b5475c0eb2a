import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors.ts';
import type { StoredVector } from '../../graph/committed-rows.ts';
import type { EntityKey } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { Log } from '../../log.ts';
import type { ByCommit, Measures } from '../measures.ts';
import type { Message, Sink } from '../ports.ts';
import { Window } from '../window.ts';
import { Delivery, type SendFailure } from './delivery.ts';
import { Owed } from './owed.ts';
import type { Writer } from './writer.ts';

/** Vectors read and sent at a time; with 512-byte vectors about 1 MB. */
const SWEEP = 2_000;

interface Due {
  /** Newest commit that moved it: an acknowledgement of an older vector does not clear it. */
  commit: number;
  /** Arrival of the oldest record behind it, epoch ms. */
  readonly since: number | undefined;
  /** Time of the event that moved it, epoch ms; undefined where none named it. */
  eventAt: number | undefined;
}

/** What a commit leaves to be sent. */
export interface Sent {
  readonly commit: number;
  readonly since?: number | undefined;
  /** By entity that its events named: the newest of these, epoch ms. */
  readonly eventAt?: ReadonlyMap<EntityKey, number>;
}

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
  /** In the order in which they are to be sent; those in hand until they are acknowledged. */
  readonly #due = new Map<EntityKey, Due>();
  /** What is being sent, and the commit of each. */
  readonly #inHand = new Map<EntityKey, number>();
  #inHandSince: number | undefined;
  readonly #owed = new Owed();
  #cleared: EntityKey[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly #delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
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
    return this.#due.size;
  }

  has(key: EntityKey): boolean {
    return this.#due.has(key);
  }

  /** Arrival of the oldest record that waits for its vector, epoch ms; undefined where none does. */
  get oldest(): number | undefined {
    if (this.#inHand.size > 0) return this.#inHandSince;
    for (const { since } of this.#due.values()) return since;
    return undefined;
  }

  /** Acknowledged, but still in the stored outbox. */
  get cleared(): number {
    return this.#cleared.length;
  }

  /** Puts what a commit left in the outbox up for sending. */
  add(keys: Iterable<EntityKey>, { commit, since, eventAt }: Sent): void {
    const again = new Map<number, number>();
    let put = 0;
    for (const key of keys) {
      put++;
      const due = this.#due.get(key);
      if (due) again.set(due.commit, (again.get(due.commit) ?? 0) + 1);
      if (due === undefined || this.#inHand.get(key) === due.commit) {
        // Behind all that waits: else what moves with each commit would be sent again and again, and nothing else.
        this.#due.delete(key);
        this.#due.set(key, { commit, since, eventAt: eventAt?.get(key) });
        continue;
      }
      due.commit = commit;
      due.eventAt ??= eventAt?.get(key);
    }
    this.#owed.add(commit, put);
    this.#pay(again);
    if (put === 0) this.#options.measures.acknowledged(commit);
    if (!this.open || this.#due.size === 0 || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  /** Names whose acknowledgement the next commit may write down. */
  takeCleared(): EntityKey[] {
    const cleared = this.#cleared.filter((key) => !this.#due.has(key));
    this.#cleared = [];
    return cleared;
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

  async #run(): Promise<void> {
    try {
      while (this.#due.size > 0 && !this.#stopped) await this.#sweep();
    } catch (error) {
      if (this.#stopped) return;
      this.#failure = error instanceof Error ? error : new Error(reasonOf(error));
      this.#options.failed(this.#failure);
    } finally {
      this.#running = undefined;
    }
  }

  async #sweep(): Promise<void> {
    const sweep: ({ key: EntityKey } & Due)[] = [];
    const { clock, measures } = this.#options;
    const began = clock();
    for (const [key, due] of this.#due) {
      this.#inHand.set(key, due.commit);
      if (sweep.push({ key, ...due }) === SWEEP) break;
    }
    this.#inHandSince = sweep[0]?.since;
    const messages = await this.#messages(sweep.map(({ key }) => key));
    await this.#delivery.send(messages, 'vectors');
    this.#inHand.clear();
    const now = clock();
    const by = new Map<number, number>();
    for (const { key, commit, since, eventAt } of sweep) {
      if (since !== undefined) this.latency.add(now - since);
      if (since !== undefined && eventAt !== undefined) measures.fresh(now - since, now - eventAt);
      if (this.#due.get(key)?.commit !== commit) continue;
      by.set(commit, (by.get(commit) ?? 0) + 1);
      this.#due.delete(key);
      this.#cleared.push(key);
    }
    this.published += messages.length;
    measures.publish(messages.length, now - began, by);
    this.#pay(by);
  }

  #pay(by: ByCommit): void {
    for (const [commit, vectors] of by) {
      if (this.#owed.pay(commit, vectors)) this.#options.measures.acknowledged(commit);
    }
  }

  async #messages(keys: readonly EntityKey[]): Promise<Message[]> {
    const { topic, header, writer } = this.#options;
    const { epoch, space, stepBase } = writer;
    const vectors = await this.#stored(keys);
    const at = this.#options.watermark();
    // Vectors of one step share their headers, which a sink then encodes once.
    const byStep = new Map<number, Message['headers']>();
    return keys.map((key, i) => {
      const vector = vectors[i];
      const step = stepBase + (vector?.step ?? this.#options.step());
      const headers = byStep.get(step) ?? embeddingHeaders({ ...header, step, at, epoch, space });
      byStep.set(step, headers);
      return { topic, key, value: vector?.bytes ?? null, headers };
    });
  }

  /**
   * What the store holds of each. The index is ahead of it: an entity that is erased there, or has another row by now,
   * is as it was until that is committed. Its tombstone, sent before, would be followed by its vector if the process died.
   */
  async #stored(keys: readonly EntityKey[]): Promise<(StoredVector | undefined)[]> {
    const { store, index } = this.#options;
    const vectors = await readVectors(
      store,
      keys.map((key) => index.find(key)),
    );
    const gone = keys.filter((_, i) => vectors[i] === undefined);
    if (gone.length === 0) return vectors;
    const entities = await store.readEntities(gone);
    const still = await readVectors(
      store,
      entities.map((entity) => entity?.row),
    );
    return vectors.map((vector) => vector ?? still.shift());
  }
}

/** In the order of `rows`; undefined where there is no row, or nothing in it. */
async function readVectors(
  store: GraphStore,
  rows: readonly (number | undefined)[],
): Promise<(StoredVector | undefined)[]> {
  const vectors = await store.readVectors(rows.filter((row) => row !== undefined));
  return rows.map((row) => vectors.get(row ?? -1));
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
