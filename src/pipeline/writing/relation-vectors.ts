import {
  isPublishedScorer,
  type PublishedScorer,
  type RelationSide,
  relationHeaders,
  relationKey,
} from '../../../topics/model.ts';
import { ShapeError } from '../../errors/errors.ts';
import type { GraphStore } from '../../graph/graph-store.ts';
import type { ModelIdentity } from '../../graph/head.ts';
import { squaredDistance } from '../../graph/nearest.ts';
import type { Message } from '../ports.ts';
import type { Publishing } from '../tuning.ts';
import type { Writer } from './writer.ts';

/** Where relation vectors are published. */
export interface ModelTopic {
  readonly name: string;
  /** The scorer's factor: see `model.beta`. */
  readonly beta: number;
}

/** Rows of a commit: ascending, and their floats, [n, dim + 2]. */
export interface CommittedRows {
  readonly rows: Int32Array;
  readonly floats: Float32Array;
}

/** A relation vector as of a commit. */
interface Version {
  readonly vector: Float32Array;
  /** 0 while no edge has trained the relation. */
  readonly step: number;
}

interface RelationRow extends RelationSide {
  readonly lhs: string;
  readonly rhs: string;
  now?: Version;
  sent?: Version;
  /** When `sent` was acknowledged, epoch ms. */
  sentAt: number;
}

/**
 * The relation vectors of the last commit, and those that the model topic holds from this process. A process publishes
 * every relation vector once, and then each that moved as far as the vector of an entity must; so nothing has to be
 * remembered across a restart. Memory: two vectors for each relation and direction.
 */
export class RelationVectors {
  readonly #options: RelationVectorsOptions;
  readonly #rows: readonly RelationRow[];
  readonly #scorer: PublishedScorer;
  #loaded = false;
  #all = false;
  #inHand: { row: RelationRow; version: Version }[] = [];

  constructor(options: RelationVectorsOptions) {
    const { scorer } = options.model;
    if (!isPublishedScorer(scorer)) throw new ShapeError(`scorer ${scorer} is not in the wire contract`);
    this.#scorer = scorer;
    this.#options = options;
    // Row 2r of a table is relation r, row 2r + 1 its inverse.
    this.#rows = options.model.relations.flatMap(({ name, lhs, rhs }) =>
      [false, true].map((inverse) => ({ relation: name, inverse, lhs, rhs, sentAt: 0 })),
    );
  }

  /** Whether some vector is to be sent, or the stored ones are not known yet. */
  get due(): boolean {
    return !this.#loaded || this.#rows.some((row) => this.#isDue(row));
  }

  /** From now on a vector is due however little it moved, until all are sent. */
  flush(): void {
    this.#all = true;
  }

  /** Takes copies of what a commit wrote of the relation rows. */
  take({ rows, floats }: CommittedRows, step: number): void {
    for (let place = 0; place < rows.length && rows[place]! < this.#rows.length; place++)
      this.#set(rows[place]!, floats, place * (this.#options.model.dim + 2), step);
  }

  /** The messages that are due; `acknowledged` follows once they are. Reads the store the first time. */
  async messages(): Promise<Message[]> {
    if (!this.#loaded) await this.#load();
    this.#inHand = this.#rows.flatMap((row) =>
      row.now !== undefined && this.#isDue(row) ? [{ row, version: row.now }] : [],
    );
    return this.#inHand.map(({ row, version }) => this.#message(row, version));
  }

  acknowledged(): void {
    for (const { row, version } of this.#inHand) {
      row.sent = version;
      row.sentAt = this.#options.clock();
    }
    this.#inHand = [];
    if (!this.due) this.#all = false;
  }

  /** Vectors of commits before this process; a commit of this process may have come first. */
  async #load(): Promise<void> {
    const stored = await this.#options.store.readRows(this.#rows.map((_, row) => row));
    for (const found of stored) {
      if (found !== undefined && this.#rows[found.row]?.now === undefined)
        this.#set(found.row, found.floats, 0, found.step);
    }
    this.#loaded = true;
  }

  #set(row: number, floats: Float32Array, at: number, step: number): void {
    const { dim } = this.#options.model;
    const trained = floats[at + dim]! > 0;
    this.#rows[row]!.now = { vector: floats.slice(at, at + dim), step: trained ? step : 0 };
  }

  #isDue({ now, sent, sentAt }: RelationRow): boolean {
    if (now === undefined) return false;
    if (sent === undefined || (sent.step === 0) !== (now.step === 0)) return true;
    const moved = Math.sqrt(squaredDistance(now.vector, sent.vector));
    const { epsilon, maxAgeMs } = this.#options.tuning;
    return moved > 0 && (this.#all || moved > epsilon || this.#options.clock() - sentAt > maxAgeMs);
  }

  #message({ lhs, rhs, ...side }: RelationRow, { vector, step }: Version): Message {
    const { topic, model, graph, fingerprint, writer, watermark } = this.#options;
    const { epoch, space, stepBase } = writer;
    const { buffer, byteOffset, byteLength } = vector;
    return {
      topic: topic.name,
      key: relationKey(side),
      value: new Uint8Array(buffer, byteOffset, byteLength),
      headers: relationHeaders({
        graph,
        dim: model.dim,
        dtype: 'float32',
        // The base lies above every step of an earlier writer, so that steps only rise.
        step: stepBase + step,
        at: watermark(),
        fingerprint,
        epoch,
        space,
        trained: step > 0,
        scorer: this.#scorer,
        beta: topic.beta,
        lhs,
        rhs,
      }),
    };
  }
}

export interface RelationVectorsOptions {
  readonly graph: string;
  readonly model: ModelIdentity;
  readonly topic: ModelTopic;
  readonly fingerprint: string;
  readonly store: Pick<GraphStore, 'readRows'>;
  readonly writer: Pick<Writer, 'epoch' | 'space' | 'stepBase'>;
  readonly tuning: Publishing;
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  clock(): number;
}
