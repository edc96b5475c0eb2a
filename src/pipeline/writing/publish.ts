import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import { inSlices } from '../../graph/store.ts';
import { Delivery } from '../delivery.ts';
import type { Measures } from '../measures.ts';
import type { Message } from '../ports.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Window } from '../window.ts';
import type { RelationVectors } from './relation-vectors.ts';
import type { Writer } from './writer.ts';

/** Vectors sent at a time; with 512-byte vectors about 1 MB. */
const SWEEP = 2_000;
/**
 * While more than MANY vectors wait, LONG_SWEEP are sent at a time: a transaction costs a round trip for each
 * partition, whatever its size, and none of these vectors is fresh.
 */
const MANY = 10 * SWEEP;
const LONG_SWEEP = 4 * SWEEP;

/** A vector or tombstone that a commit puts up. */
export interface Put {
  readonly name: EntityKey;
  /** Little-endian float32; null: the entity is gone, and a tombstone is sent. The memory must not change. */
  vector: Uint8Array | null;
  /** Time of the newest event that named the entity, epoch ms. */
  eventAt: number | undefined;
}

/** The commit that puts vectors up. */
export interface PutBy {
  /** Number of the commit. */
  readonly commit: number;
  step: number;
  /** Arrival of the oldest record behind the commit, epoch ms. */
  readonly since: number | undefined;
}

/** What is to be sent, of the newest commit that moved it, with the arrival, the event and the commit of the oldest that was not acknowledged. */
interface Waiting extends Put, PutBy {
  /** Whether it is being sent: what is put up from now on waits behind it. */
  inHand: boolean;
}

/**
 * Sends every vector that commits put up to the embeddings topic, and relation vectors to the model topic. A vector is put up
 * once its commit is written, so that what goes out is committed, and one that moves again while it waits is sent once.
 */
export class Publisher {
  /** Time from the arrival of the oldest record behind a vector to its acknowledgement, ms. */
  readonly latency = new Window();
  published = 0;
  /** False until this process is the graph's one publisher: nothing is sent or put up before. */
  open = false;
  /** The newest of each name: what waits, and what is being sent. */
  readonly #newest = new Map<EntityKey, Waiting>();
  /** What waits, in order: an entry that is put up again keeps its place. */
  readonly #queue: Waiting[] = [];
  /** What is being sent. */
  #inHand: readonly Waiting[] = [];
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.delivery = new Delivery(options.sink, options.log);
  }

  /** Vectors and tombstones not yet acknowledged. */
  get size(): number {
    return this.#newest.size;
  }

  /** The same once these are put up. */
  sizeWith(puts: readonly Put[]): number {
    let { size } = this;
    for (const { name } of puts) if (!this.#newest.has(name)) size++;
    return size;
  }

  /** Arrival of the oldest record whose vector waits, epoch ms; undefined where no vector waits. */
  get oldest(): number | undefined {
    return this.#first?.since;
  }

  /** The oldest commit of which something is not acknowledged; Infinity where nothing waits. */
  get oldestCommit(): number {
    return this.#first?.commit ?? Number.POSITIVE_INFINITY;
  }

  /** Begins to publish. */
  begin(): void {
    this.open = true;
  }

  /** Puts up what a commit wrote, each name once. relations: see `RelationVectors.take`. */
  async add(puts: readonly Put[], { commit, step, since }: PutBy, relations: Float32Array): Promise<void> {
    this.#options.relations?.take(relations, step);
    await inSlices(puts.length, (i) => {
      const { name, vector, eventAt } = puts[i]!;
      const known = this.#newest.get(name);
      if (known !== undefined && !known.inHand) {
        known.vector = vector;
        known.step = step;
        known.eventAt ??= eventAt;
        return;
      }
      const waiting = { name, vector, step, eventAt, since, commit, inHand: false };
      this.#newest.set(name, waiting);
      this.#queue.push(waiting);
    });
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

  get #first(): Waiting | undefined {
    return this.#inHand[0] ?? this.#queue[0];
  }

  /** Begins to send what is due, unless that is under way. */
  #send(): void {
    if (!this.open || !this.#isDue || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  get #isDue(): boolean {
    return this.#queue.length > 0 || this.#options.relations?.due === true;
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
    const sweep = this.#queue.splice(0, this.#queue.length > MANY ? LONG_SWEEP : SWEEP);
    for (const waiting of sweep) waiting.inHand = true;
    this.#inHand = sweep;
    const ofRelations = relations?.messages() ?? [];
    const messages = this.#messages(sweep);
    const all = ofRelations.length > 0 ? [...messages, ...ofRelations] : messages;
    if (all.length > 0) await this.delivery.send(all, 'vectors');
    relations?.acknowledged();
    const now = clock();
    for (const waiting of sweep) {
      const { name, since, eventAt } = waiting;
      if (this.#newest.get(name) === waiting) this.#newest.delete(name);
      if (since === undefined) continue;
      this.latency.add(now - since);
      if (eventAt !== undefined) measures.fresh?.(now - since, now - eventAt);
    }
    this.#inHand = [];
    this.published += sweep.length;
    if (sweep.length > 0) measures.publish?.(now - began);
  }

  #messages(sweep: readonly Waiting[]): Message[] {
    const { topic, header, writer } = this.#options;
    const { epoch, space, stepBase } = writer;
    const at = this.#options.watermark();
    // Vectors of one step share their headers, so that a sink can encode them once.
    const said = new Map<number, Message['headers']>();
    return sweep.map(({ name, vector, step }) => {
      let headers = said.get(step);
      if (headers === undefined) {
        headers = embeddingHeaders({ ...header, step: stepBase + step, at, epoch, space });
        said.set(step, headers);
      }
      return { topic, key: name, value: vector, headers };
    });
  }
}

export interface PublisherOptions extends Pick<UpdaterOptions, 'sink' | 'log' | 'clock'> {
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
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  readonly measures: Measures;
  /** Told of the failure that ends sending. */
  failed(error: Error): void;
}
