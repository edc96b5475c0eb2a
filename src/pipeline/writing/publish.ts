import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import type { EntityKey } from '../../graph/entity.ts';
import { endsSlice, nextTurn } from '../../graph/store.ts';
import { Delivery } from '../delivery.ts';
import type { Measures } from '../measures.ts';
import type { Message } from '../ports.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Window } from '../window.ts';
import type { RelationVectors } from './relation-vectors.ts';
import type { Writer } from './writer.ts';

/** Bytes sent at a time, about, and those of a message beside its vector. A transaction costs some round trips, whatever its size. */
const [SWEEP_BYTES, AROUND_BYTES] = [8 * 2 ** 20, 240];

/** A vector or tombstone that a commit puts up. */
export interface Put {
  readonly key: EntityKey;
  /** Its row; −1 for a tombstone. */
  readonly row: number;
  /** Little-endian float32; null: the entity is gone, and a tombstone is sent. The memory must not change. */
  value: Uint8Array | null;
  /** Time of the newest event that named the entity, epoch ms. */
  eventAt: number | undefined;
}

/** The commit that puts vectors up. */
export interface PutBy {
  /** Number of the commit. */
  readonly commit: number;
  readonly step: number;
  /** Arrival of the oldest record behind the commit, epoch ms. */
  readonly since: number | undefined;
}

/** What is to be sent, of the newest commit that moved it: the message itself, because hundreds of thousands may wait. */
interface Waiting extends Put {
  readonly topic: string;
  headers: Message['headers'];
  step: number;
  /** The oldest commit of which it was not acknowledged. */
  readonly by: PutBy;
  /** Whether it is being sent: what is put up of its entity from now on waits behind it. */
  inHand: boolean;
  /** Whether something of its entity does wait behind it. */
  isAgain: boolean;
}

const NO_HEADERS = {};

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
  /** The newest of each row: what waits, and what is being sent. A look by name takes ten times as long. */
  readonly #ofRow: (Waiting | undefined)[] = [];
  /** What waits, in order: an entry that is put up again keeps its place. */
  #queue: Waiting[] = [];
  /** What is being sent, and how many of these entities wait again. */
  #inHand: readonly Waiting[] = [];
  #again = 0;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failure: Error | undefined;
  readonly delivery: Delivery;
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.delivery = new Delivery(options.sink, options.log);
  }

  /** Entities of which something is not yet acknowledged. */
  get size(): number {
    const { length } = this.#inHand;
    return Math.max(length, this.#queue.length + length - this.#again);
  }

  /** Arrival of the oldest record whose vector waits, epoch ms; undefined where no vector waits. */
  get oldest(): number | undefined {
    return this.#first?.by.since;
  }

  /** The oldest commit of which something is not acknowledged; Infinity where nothing waits. */
  get oldestCommit(): number {
    return this.#first?.by.commit ?? Number.POSITIVE_INFINITY;
  }

  /** Begins to publish. */
  begin(): void {
    this.open = true;
  }

  /**
   * Lets go of what waits of these entities, before a commit that was written puts them up as tombstones or in other rows: its entry in
   * the journal names them.
   */
  forget(names: ReadonlySet<EntityKey>): void {
    this.#queue = this.#queue.filter((waiting) => {
      if (!names.has(waiting.key)) return true;
      this.#leave(waiting);
      return false;
    });
    for (const sent of this.#inHand) if (names.has(sent.key)) this.#waitsAgain(sent);
  }

  /** Puts up what a commit wrote, each name once. relations: see `RelationVectors.take`. */
  async add(puts: Iterable<Put>, by: PutBy, relations: Float32Array): Promise<void> {
    this.#options.relations?.take(relations, by.step);
    let count = 0;
    for (const put of puts) {
      this.#add(put, by);
      if (endsSlice(count++)) await nextTurn();
    }
    this.#send();
  }

  #add({ key, row, value, eventAt }: Put, by: PutBy): void {
    const [ofRow, { topic }, { step }] = [this.#ofRow, this.#options, by];
    const known = ofRow[row];
    if (known !== undefined && !known.inHand) {
      known.value = value;
      known.step = step;
      known.eventAt ??= eventAt;
      return;
    }
    if (known !== undefined && known.key === key) this.#waitsAgain(known);
    // Each field by its name: the shape of a copy of `put` goes with the last that waits, and code that was compiled for it.
    const waiting = {
      key,
      row,
      value,
      eventAt,
      topic,
      headers: NO_HEADERS,
      step,
      by,
      inHand: false,
      isAgain: false,
    };
    this.#queue.push(waiting);
    if (row < 0) return;
    // Without holes, or the array would become a slow one.
    while (ofRow.length < row) ofRow.push(undefined);
    ofRow[row] = waiting;
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

  #waitsAgain(sent: Waiting): void {
    if (!sent.isAgain) this.#again++;
    sent.isAgain = true;
  }

  #leave(waiting: Waiting): void {
    if (this.#ofRow[waiting.row] === waiting) this.#ofRow[waiting.row] = undefined;
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
    const { clock, measures, relations, header } = this.#options;
    const began = clock();
    const sweep = this.#queue.splice(0, Math.ceil(SWEEP_BYTES / (4 * header.dim + AROUND_BYTES)));
    // Vectors of one step share their headers, so that a sink can encode them once.
    const said = new Map<number, Message['headers']>();
    for (const waiting of sweep) {
      waiting.inHand = true;
      waiting.headers = said.get(waiting.step) ?? this.#headers(waiting.step);
      said.set(waiting.step, waiting.headers);
    }
    this.#inHand = sweep;
    const ofRelations = relations?.messages() ?? [];
    const all = ofRelations.length > 0 ? [...sweep, ...ofRelations] : sweep;
    if (all.length > 0) await this.delivery.send(all, 'vectors');
    relations?.acknowledged();
    const now = clock();
    let count = 0;
    for (const waiting of sweep) {
      this.#leave(waiting);
      const { since } = waiting.by;
      if (since !== undefined) {
        this.latency.add(now - since);
        if (waiting.eventAt !== undefined) measures.fresh?.(now - since, now - waiting.eventAt);
      }
      if (endsSlice(count++)) await nextTurn();
    }
    this.#inHand = [];
    this.#again = 0;
    this.published += sweep.length;
    if (sweep.length > 0) measures.publish?.(now - began);
  }

  #headers(step: number): Message['headers'] {
    const { header, writer, watermark } = this.#options;
    const { epoch, space, stepBase } = writer;
    return embeddingHeaders({ ...header, step: stepBase + step, at: watermark(), epoch, space });
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
