import { embeddingHeaders } from '../../../topics/embeddings.ts';
import { reasonOf } from '../../errors/errors.ts';
import { PagedNumbers } from '../../graph/paged-numbers.ts';
import { endsSlice, nextTurn } from '../../graph/turns.ts';
import { Delivery } from '../delivery.ts';
import type { Measures } from '../measures.ts';
import type { Message } from '../ports.ts';
import type { UpdaterOptions } from '../updater-options.ts';
import { Window } from '../window.ts';
import type { RelationVectors } from './relation-vectors.ts';
import type { Writer } from './writer.ts';

/** Bytes sent at a time, about, and those of a message beside its vector. A transaction costs some round trips, whatever its size. */
const [SWEEP_BYTES, AROUND_BYTES] = [8 * 2 ** 20, 240];
/** Blocks of memory that are kept for the vectors of commits to come, and the most bytes of one. */
const [KEPT_BLOCKS, KEPT_BYTES] = [4, 16 * 2 ** 20];

/** The commit that puts something up. */
export interface PutBy {
  /** Number of the commit. */
  readonly commit: number;
  readonly step: number;
  /** Arrival of the oldest record behind the commit, epoch ms. */
  readonly since: number | undefined;
}

/** What a commit puts up: vectors, and tombstones after them. Its memory is the publisher's. */
export interface Puts {
  readonly by: PutBy;
  /** [n] the rows of the vectors. */
  readonly rows: Int32Array;
  /** [n, dim] in the order of bytes in which vectors are published, little-endian. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** The keys of all, one behind the other; where each begins, and where the last ends. Nothing is put up where a key has no bytes. */
  readonly keys: Buffer;
  readonly keysAt: Uint32Array;
  /** Time of the newest event that named each entity, epoch ms; NaN where none of the commit did. */
  readonly eventsAt: Float64Array;
  /** How many of them are not acknowledged, and not put up anew: all at first. */
  left: number;
}

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
  published = 0;
  /** Memory of vectors that were sent: blocks of megabytes that are left to the garbage collector make it run for each few of them. */
  readonly spent: Float32Array<ArrayBuffer>[] = [];
  /** To be set once this process is the graph's one publisher: nothing is sent or put up before. */
  open = false;
  /**
   * What is being sent and what waits, in order and in columns: an object for each would be hundreds of thousands that live long. One
   * that is put up again keeps its turn, and its age. Which commit has the newest of it, and where; undefined: it is forgotten. No
   * entity waits twice: a send whose answer was lost is repeated whole, and may be committed already. It would go back to an older record.
   */
  readonly #of: (Puts | undefined)[] = [];
  readonly #places: number[] = [];
  /** The oldest commit of which it was not acknowledged, and the event behind that. */
  readonly #by: PutBy[] = [];
  readonly #eventsAt: number[] = [];
  /** By row: the turn of the newest, counted from 1 over all that was ever put up. A look by name takes ten times as long. */
  readonly #turns = new PagedNumbers((rows) => new Float64Array(rows));
  /** By name: the turn of each tombstone that waits or is being sent, ascending. Its entity has no row. */
  readonly #gone = new Map<string, number>();
  /** Turns that are over. */
  #over = 0;
  /** Turns that are being sent, how many messages these are, and how many of their entities wait again. */
  #taken = 0;
  #inHand = 0;
  #again = 0;
  #forgotten = 0;
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
    return Math.max(this.#inHand, this.#of.length - this.#forgotten - this.#again);
  }

  /** Arrival of the oldest record whose vector waits, epoch ms; undefined where no vector waits. */
  get oldest(): number | undefined {
    return this.#first?.since;
  }

  /** The oldest commit of which something is not acknowledged; Infinity where nothing waits. */
  get oldestCommit(): number {
    return this.#first?.commit ?? Number.POSITIVE_INFINITY;
  }

  /** Lets go of what waits of rows that a commit freed, before it puts up what becomes of their entities: its entry in the journal names them. */
  forget(rows: Iterable<number>): void {
    for (const row of rows) {
      const at = this.#turns.get(row) - 1 - this.#over;
      if (at < 0) continue;
      this.#turns.set(row, 0);
      if (at < this.#taken) this.#again++;
      else {
        this.#drop(this.#of[at]);
        this.#of[at] = undefined;
        this.#forgotten++;
      }
    }
  }

  /** Puts up what a commit wrote, each entity once. relations: see `RelationVectors.take`. */
  async add(puts: Puts, relations: Float32Array): Promise<void> {
    this.#options.relations?.take(relations, puts.by.step);
    const { keysAt } = puts;
    const before = this.#turns.getMany(puts.rows);
    for (let place = 0; place < keysAt.length - 1; place++) {
      if (keysAt[place]! < keysAt[place + 1]!) this.#add(puts, place, before[place]);
      else this.#drop(puts);
      if (endsSlice(place)) await nextTurn();
    }
    this.#send();
  }

  /** before: the turn of what was put up of the row; 0: nothing was, or it has no row. */
  #add(puts: Puts, place: number, before = 0): void {
    const eventAt = puts.eventsAt[place]!;
    const row = puts.rows[place];
    // Few commits erase anything, so that hardly any vector needs its name.
    const name = row === undefined || this.#gone.size > 0 ? `${keyOf(puts, place)}` : '';
    const at = (this.#gone.get(name) ?? before) - 1 - this.#over;
    const isWaiting = at >= this.#taken;
    const turn = this.#over + (isWaiting ? at : this.#of.length) + 1;
    if (row !== undefined || !isWaiting) this.#gone.delete(name);
    if (row === undefined) this.#gone.set(name, turn);
    else this.#turns.set(row, turn);
    if (isWaiting) {
      this.#drop(this.#of[at]);
      this.#of[at] = puts;
      this.#places[at] = place;
      if (Number.isNaN(this.#eventsAt[at])) this.#eventsAt[at] = eventAt;
      return;
    }
    if (at >= 0) this.#again++;
    this.#of.push(puts);
    this.#places.push(place);
    this.#by.push(puts.by);
    this.#eventsAt.push(eventAt);
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

  /** Lets go of one of what a commit put up. */
  #drop(of: Puts | undefined): void {
    if (of === undefined || --of.left > 0 || this.spent.length >= KEPT_BLOCKS) return;
    const { buffer } = of.vectors;
    if (buffer.byteLength <= KEPT_BYTES) this.spent.push(new Float32Array(buffer));
  }

  get #first(): PutBy | undefined {
    let at = 0;
    while (at < this.#of.length && this.#of[at] === undefined) at++;
    return this.#by[at];
  }

  /** Begins to send what is due, unless that is under way. */
  #send(): void {
    if (!this.open || !this.#isDue || this.#stopped || this.#failure || this.#running) return;
    this.#running = this.#run();
  }

  get #isDue(): boolean {
    return this.#of.length > 0 || this.#options.relations?.due === true;
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
    const { clock, measures, relations, header, topic } = this.#options;
    const began = clock();
    const taken = Math.min(this.#of.length, Math.ceil(SWEEP_BYTES / (4 * header.dim + AROUND_BYTES)));
    // Vectors of one step share their headers, so that a sink can encode them once.
    const said = new Map<number, Message['headers']>();
    const messages: Message[] = [];
    for (let at = 0; at < taken; at++) {
      const of = this.#of[at];
      if (of === undefined) continue;
      const headers = said.get(of.by.step) ?? this.#headers(of.by.step);
      said.set(of.by.step, headers);
      messages.push(new Sent(topic, headers, of, this.#places[at]!));
    }
    const { length: count } = messages;
    [this.#taken, this.#inHand] = [taken, count];
    messages.push(...(relations?.messages() ?? []));
    if (messages.length > 0) await this.delivery.send(messages, 'vectors');
    relations?.acknowledged();
    const now = clock();
    for (let at = 0; at < taken; at++) {
      const { since } = this.#by[at]!;
      this.#drop(this.#of[at]);
      if (since !== undefined && this.#of[at] !== undefined) {
        this.latency.add(now - since);
        const eventAt = this.#eventsAt[at]!;
        if (!Number.isNaN(eventAt)) measures.fresh?.(now - since, now - eventAt);
      }
      if (endsSlice(at)) await nextTurn();
    }
    for (const column of [this.#of, this.#places, this.#by, this.#eventsAt]) column.splice(0, taken);
    this.#over += taken;
    for (const [name, turn] of this.#gone) {
      if (turn > this.#over) break;
      this.#gone.delete(name);
    }
    this.#forgotten -= taken - count;
    [this.#taken, this.#inHand, this.#again] = [0, 0, 0];
    this.published += count;
    if (count > 0) measures.publish?.(now - began);
  }

  #headers(step: number): Message['headers'] {
    const { header, writer, watermark } = this.#options;
    const { epoch, space, stepBase } = writer;
    return embeddingHeaders({ ...header, step: stepBase + step, at: watermark(), epoch, space });
  }
}

function keyOf({ keys, keysAt }: Puts, place: number): Buffer {
  return keys.subarray(keysAt[place], keysAt[place + 1]);
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
