import { MAX_ID_BYTES } from '../graph/entity.ts';
import type { Log } from '../log.ts';
import { Delivery } from '../pipeline/delivery.ts';
import type { Message, Sink } from '../pipeline/ports.ts';
import type { Outgoing, RowVectors } from '../pipeline/training/shard-batch.ts';
import { type NamedVectors, type Names, NO_NAMES, type Parcel } from './parcel.ts';

/** Most bytes of gradients and vectors in one parcel, with the longest names: brokers take 1 MiB unless told otherwise. */
const PARCEL_BYTES = 800_000;
/** Most names of wanted vectors beside them. */
const NAMES_IN_PARCEL = 500;
/** Bytes of the longest name: type, length and id. */
const MOST_NAME_BYTES = 2 + MAX_ID_BYTES;
const NO_RELATIONS = new Float32Array(0);

/** What a parcel holds, beside whose it is. */
export type Contents = Pick<Parcel, 'gradients' | 'vectors' | 'relations' | 'wanted'>;

export type Load = Outgoing['to'][number] & {
  readonly relations: Float32Array | undefined;
  /** Copies of the shard's rows that are to have its vectors. */
  readonly wanted: readonly number[];
};

/** Puts what is to be sent to a shard into as many parcels as it needs. */
export class Packing {
  readonly #dim: number;
  readonly #nameOf: (row: number) => Uint8Array | undefined;
  /** Most gradients, and most vectors, in one parcel. */
  readonly #most: number;

  /** nameOf: the name of a row's entity; undefined where it was erased meanwhile. */
  constructor(dim: number, nameOf: (row: number) => Uint8Array | undefined) {
    this.#dim = dim;
    this.#nameOf = nameOf;
    this.#most = Math.floor(PARCEL_BYTES / 2 / (2 * (dim + 1) + MOST_NAME_BYTES));
  }

  /** Parcels that the vectors need. */
  parts({ rows }: RowVectors): number {
    return Math.ceil(rows.length / this.#most);
  }

  /** least: parcels that are made even where there is nothing to send. */
  pack({ gradients, vectors, relations, wanted }: Load, least: number): Contents[] {
    const lists = Math.ceil(wanted.length / NAMES_IN_PARCEL);
    const filled = Math.max(this.parts(gradients), this.parts(vectors), lists);
    // Relation vectors have a parcel of their own, behind the others: together they could be too large.
    const parts = Math.max(filled + (relations === undefined ? 0 : 1), least);
    return Array.from({ length: parts }, (_, part) => ({
      gradients: this.#named(gradients, part, this.#dim),
      vectors: this.#named(vectors, part, this.#dim + 1),
      relations: part === filled && relations !== undefined ? relations : NO_RELATIONS,
      wanted: this.#names(wanted.slice(part * NAMES_IN_PARCEL, (part + 1) * NAMES_IN_PARCEL)),
    }));
  }

  #names(rows: readonly number[]): Names {
    if (rows.length === 0) return NO_NAMES;
    const names = rows.flatMap((row) => this.#nameOf(row) ?? []);
    return { count: names.length, names: Buffer.concat(names) };
  }

  /** The vectors of one part, of `width` numbers each, with the names of their rows. One whose entity was erased meanwhile is left out. */
  #named({ rows, halves }: RowVectors, part: number, width: number): NamedVectors {
    const [from, to] = [part * this.#most, Math.min(rows.length, (part + 1) * this.#most)];
    const names: Uint8Array[] = [];
    const gone = new Set<number>();
    for (let i = from; i < to; i++) {
      const name = this.#nameOf(rows[i]!);
      if (name === undefined) gone.add(i);
      else names.push(name);
    }
    const kept = halves.subarray(from * width, to * width);
    return {
      count: names.length,
      names: Buffer.concat(names),
      halves: gone.size === 0 ? kept : kept.filter((_, k) => !gone.has(from + Math.floor(k / width))),
    };
  }
}

/** Sends parcels in the order given, one transaction after the other, and says when those given so far are acknowledged. */
export class ParcelSender {
  readonly #delivery: Delivery;
  readonly #failed: (error: Error) => void;
  /** What comes while a transaction is open, to go with the next one. */
  #waiting: Message[] = [];
  /** Resolves once all that was given is acknowledged. */
  #sent: Promise<void> = Promise.resolve();

  /** failed: told of what ends the sending. */
  constructor(options: { sink: Sink; log: Log; failed(error: Error): void }) {
    this.#delivery = new Delivery(options.sink, options.log);
    this.#failed = (error) => options.failed(error);
  }

  /** Bytes of messages that wait for the transaction before theirs. */
  get waitingBytes(): number {
    return this.#waiting.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
  }

  /** Sends the messages; returns at once. */
  send(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    this.#waiting.push(...messages);
    if (this.#waiting.length > messages.length) return;
    this.#sent = this.#sent.then(() =>
      this.#delivery.send(this.#waiting.splice(0), 'parcels for other shards'),
    );
    this.#sent.catch(this.#failed);
  }

  /** Resolves once everything that was given before is acknowledged. @throws what ended the sending. */
  sent(): Promise<void> {
    return this.#sent;
  }

  /** Ends the wait for brokers that can't be reached. */
  stop(): void {
    this.#delivery.stop();
  }
}
