import { FatalError, ShapeError } from '../../errors/errors.ts';
import type { Shard } from '../../graph/shard.ts';
import type { Log } from '../../log.ts';
import type { SourceRecord } from '../ports.ts';
import { decodeParcel, type Parcel } from './parcel.ts';

export interface ParcelReaderOptions {
  readonly shard: Shard;
  /** Full name of the exchange topic. */
  readonly topic: string;
  readonly fingerprint: string;
  /** The training that the shard takes part in: what others send is of use only where they take part in the same. */
  readonly space: string;
  readonly dim: number;
  /** Rows of the relations. */
  readonly relationRows: number;
  readonly log: Log;
}

/** Reads the records of an exchange topic, and tells parcels of the shard's own training from all others. */
export class ParcelReader {
  readonly #options: ParcelReaderOptions;
  readonly #counts: { unreadable: number };
  readonly #began: number;
  /** Spaces of other trainings that the log was told of. */
  readonly #otherSpaces = new Set<string>();

  /** counts: counts the records that are no parcel. began: when the process began, epoch ms. */
  constructor(options: ParcelReaderOptions, counts: { unreadable: number }, began: number) {
    this.#options = options;
    this.#counts = counts;
    this.#began = began;
  }

  /**
   * The parcel in a record; undefined, with a warning, where there is none: nothing but a shard of another version, or a
   * foreign program, can have written it, and waiting for a better record would stop the shard for good. A parcel of another
   * training is passed over as well, whatever its model: it was sent before this store was promoted, or by a shard that runs on a
   * store of before.
   * @throws FatalError `shards` where its sender trains another model.
   */
  read({ value, headers, partition, offset, timestamp }: SourceRecord): Parcel | undefined {
    const { dim, relationRows, fingerprint, space, shard, topic, log } = this.#options;
    const sentIn = headers?.['space']?.toString();
    if (sentIn !== undefined && sentIn !== space) {
      this.#passOver(sentIn, { partition, offset, timestamp });
      return undefined;
    }
    const seen = headers?.['fingerprint']?.toString();
    const where = `${topic}, partition ${partition}, offset ${offset}`;
    if (seen !== undefined && seen !== fingerprint) {
      throw new FatalError(
        'shards',
        `a shard of ${shard.graph} sends vectors of another model: fingerprint ${seen}, configured here ${fingerprint} (${where}). ` +
          `Give every shard the same configuration. To change the model: twhin replay --graph ${shard.graph} --into NAME, then twhin replay promote NAME.`,
      );
    }
    try {
      if (sentIn === undefined) throw new ShapeError('it has no header space');
      const parcel = decodeParcel(value, dim);
      const { length } = parcel.relations;
      if (length === 0 || length === relationRows * (dim + 1)) return parcel;
      throw new ShapeError(
        `its relation vectors have ${length} numbers; this graph's have ${relationRows * (dim + 1)}`,
      );
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      this.#counts.unreadable++;
      log.warn({ topic, partition, offset, reason: error.message }, `a record is passed over: ${where}`);
      return undefined;
    }
  }

  /** Says so, once for each space, where the sender runs beside this process. */
  #passOver(
    space: string,
    { partition, offset, timestamp }: Pick<SourceRecord, 'partition' | 'offset' | 'timestamp'>,
  ): void {
    const { shard, topic, log } = this.#options;
    if (timestamp < this.#began || this.#otherSpaces.has(space)) return;
    this.#otherSpaces.add(space);
    log.warn(
      { topic, partition, offset, space, own: this.#options.space },
      `a shard of ${shard.graph} runs on a store of another training, and what it sends is passed over. All shards need stores of one ` +
        'training: restore the shard that began anew, or promote the store that the others run on',
    );
  }
}
