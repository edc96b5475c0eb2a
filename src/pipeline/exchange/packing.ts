import { MAX_ID_BYTES } from '../../graph/entity.ts';
import type { Outgoing, RowVectors } from '../training/trainer.ts';
import type { Notice } from './copies.ts';
import { type NamedVectors, NO_NAMES, type Parcel } from './parcel.ts';

/** Most bytes of gradients and vectors in one parcel, with the longest names: brokers take 1 MiB unless told otherwise. */
const PARCEL_BYTES = 800_000;
/** Bytes of the longest name: type, length and id. */
const MOST_NAME_BYTES = 2 + MAX_ID_BYTES;
const NO_NOTICE: Notice = { released: NO_NAMES, wanted: NO_NAMES };
const NO_RELATIONS = new Float32Array(0);

/** What a parcel holds, beside whose it is. */
export type Contents = Pick<Parcel, 'gradients' | 'vectors' | 'relations' | 'released' | 'wanted'>;

/** What is to be sent to one shard. */
export type Load = Outgoing['to'][number] & {
  readonly relations: Float32Array | undefined;
  readonly notices: readonly Notice[];
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
  pack({ gradients, vectors, relations, notices }: Load, least: number): Contents[] {
    const filled = Math.max(this.parts(gradients), this.parts(vectors));
    // Relation vectors have a parcel of their own, behind the others: together they could be too large.
    const ofRelations = relations === undefined ? 0 : 1;
    const parts = Math.max(filled + ofRelations + notices.length, least);
    return Array.from({ length: parts }, (_, part) => ({
      gradients: this.#named(gradients, part, this.#dim),
      vectors: this.#named(vectors, part, this.#dim + 1),
      relations: part === filled && relations !== undefined ? relations : NO_RELATIONS,
      ...(notices[part - filled - ofRelations] ?? NO_NOTICE),
    }));
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
