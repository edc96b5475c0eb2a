import {
  isPublishedScorer,
  type PublishedScorer,
  type RelationSide,
  relationHeaders,
  relationKey,
} from '../../../topics/model.ts';
import { ShapeError } from '../../errors/errors.ts';
import type { ModelIdentity } from '../../graph/head.ts';
import { squaredDistance } from '../../model/scorers.ts';
import type { Message } from '../ports.ts';
import type { Publishing } from '../tuning.ts';
import type { Writer } from './writer.ts';

/** Where relation vectors are published. */
export interface ModelTopic {
  readonly name: string;
  /** The scorer's factor: see `model.beta`. */
  readonly beta: number;
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

  /** Whether some vector is to be sent. */
  get due(): boolean {
    return this.#rows.some((row) => this.#isDue(row));
  }

  /** From now on a vector is due however little it moved, until all are sent. */
  flush(): void {
    this.#all = true;
  }

  /** Has every vector published again: the topic was made again. */
  again(): void {
    this.#inHand = [];
    for (const row of this.#rows) delete row.sent;
  }

  /** Takes the relation rows as of a commit: [relation rows, dim + 1] vector and accumulator. */
  take(relations: Float32Array, step: number): void {
    const { dim } = this.#options.model;
    for (const [i, row] of this.#rows.entries()) {
      const at = i * (dim + 1);
      const trained = relations[at + dim]! > 0;
      row.now = { vector: relations.subarray(at, at + dim), step: trained ? step : 0 };
    }
  }

  /** The messages that are due; `acknowledged` follows once they are. */
  messages(): Message[] {
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
  readonly writer: Pick<Writer, 'epoch' | 'space' | 'stepBase'>;
  readonly tuning: Publishing;
  /** Newest event time committed, epoch ms. */
  watermark(): number;
  clock(): number;
}
