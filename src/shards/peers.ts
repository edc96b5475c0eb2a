import { FatalError, ShapeError } from '../errors/errors.ts';
import type { ShardHead } from '../graph/head.ts';
import type { Shard } from '../graph/shard.ts';
import type { Log } from '../log.ts';
import type { Peer } from '../pipeline/neighbours.ts';
import type { SourceRecord } from '../pipeline/ports.ts';
import { decodeParcel, type Parcel } from './parcel.ts';

/** By sender, as a store's head has it: the range and part of the last gradients received. */
type Received = ShardHead['received'];
type Range = Pick<Parcel, 'first' | 'last' | 'part'>;

/** What a parcel of the shard's own training is known by. */
export interface Expected {
  readonly shard: Shard;
  /** Full name of the exchange topic. */
  readonly topic: string;
  readonly fingerprint: string;
  /** The training that the shard takes part in: what others send is of use only where they take part in the same. */
  readonly space: string;
  readonly dim: number;
  readonly relationRows: number;
  readonly log: Log;
}

/**
 * The other shards of a graph, as one shard knows them: what they send, when each was last heard of and last sent something, and the
 * range of the last gradients received from each. By that range gradients are known that come again: from a sender that was killed
 * before its commit, or goes on from an older store.
 */
export class Peers {
  readonly #expected: Expected;
  readonly #clock: () => number;
  readonly #began: number;
  /** By shard. */
  readonly #received: Map<number, Received[string]>;
  readonly #heardAt = new Map<number, number>();
  readonly #sentAt = new Map<number, number>();
  /** Spaces of other trainings that the log was told of. */
  readonly #otherSpaces = new Set<string>();

  constructor(expected: Expected, received: Received, clock: () => number) {
    this.#expected = expected;
    this.#received = new Map(Object.entries(received).map(([from, last]) => [Number(from), last]));
    this.#clock = clock;
    this.#began = clock();
  }

  /** The shards that were sent nothing for `ms`, this one left out. */
  unsentFor(ms: number): number[] {
    const now = this.#clock();
    return this.#others().filter((shard) => now - (this.#sentAt.get(shard) ?? this.#began) >= ms);
  }

  /** Notes that something is on its way to the shard. */
  sent(shard: number): void {
    this.#sentAt.set(shard, this.#clock());
  }

  /** The other shards, in order. */
  list(): Peer[] {
    return this.#others().map((shard) => {
      const heardAt = this.#heardAt.get(shard);
      return { shard, heardAt, silentSince: heardAt ?? this.#began };
    });
  }

  /** What a commit writes, as of now. */
  received(): Received {
    return Object.fromEntries(this.#received);
  }

  /** Whether the parcel's gradients were not received before; then notes that they are. */
  isNew({ from, run, first, last, part }: Parcel): boolean {
    const known = this.#received.get(from);
    const isNew = known?.run !== run || follows({ first, last, part }, known);
    if (isNew) this.#received.set(from, { run, first, last, part });
    return isNew;
  }

  /**
   * The parcel in a record of the exchange topic; undefined, with a warning, where there is none: nothing but a shard of another
   * version, or a foreign program, can have written it, and waiting for a better record would stop the shard for good. A parcel of
   * another training is passed over as well, whatever its model: it was sent before this store was promoted, or by a shard that runs
   * on a store of before.
   * unreadable: told of a record that is no parcel.
   * @throws FatalError `shards` where its sender trains another model.
   */
  read(record: SourceRecord, unreadable: () => void): Parcel | undefined {
    const { value, headers, partition, offset, timestamp } = record;
    const { dim, relationRows, fingerprint, space, shard, topic, log } = this.#expected;
    const sentIn = headers?.['space']?.toString();
    if (sentIn !== undefined && sentIn !== space) {
      this.#passOver(sentIn, record);
      return undefined;
    }
    const seen = headers?.['fingerprint']?.toString();
    const where = `${topic}, partition ${partition}, offset ${offset}`;
    if (seen !== undefined && seen !== fingerprint) {
      throw new FatalError(
        'shards',
        `a shard of ${shard.graph} sends vectors of another model: fingerprint ${seen}, configured here ${fingerprint} (${where}). ` +
          `Give every shard the same configuration. To change the model: twhin replay --graph ${shard.graph} --into NAME, then twhin promote NAME.`,
      );
    }
    try {
      if (sentIn === undefined) throw new ShapeError('it has no header space');
      const parcel = decodeParcel(value, dim);
      const { length } = parcel.relations;
      if (length > 0 && length !== relationRows * (dim + 1)) {
        const expected = relationRows * (dim + 1);
        throw new ShapeError(`its relation vectors have ${length} numbers; this graph's have ${expected}`);
      }
      this.#heardAt.set(parcel.from, Math.max(timestamp, this.#heardAt.get(parcel.from) ?? timestamp));
      return parcel;
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      unreadable();
      log.warn({ topic, partition, offset, reason: error.message }, `a record is passed over: ${where}`);
      return undefined;
    }
  }

  /** Says so, once for each space, where the sender runs beside this process. */
  #passOver(space: string, { partition, offset, timestamp }: SourceRecord): void {
    const { shard, topic, log } = this.#expected;
    if (timestamp < this.#began || this.#otherSpaces.has(space)) return;
    this.#otherSpaces.add(space);
    log.warn(
      { topic, partition, offset, space, own: this.#expected.space },
      `a shard of ${shard.graph} runs on a store of another training, and what it sends is passed over. All shards need stores of one ` +
        'training: restore the shard that started from scratch, or promote the store that the others run on',
    );
  }

  #others(): number[] {
    const { index, count } = this.#expected.shard;
    return Array.from({ length: count }, (_, shard) => shard).filter((shard) => shard !== index);
  }
}

/** Whether gradients of one range and part are not among those up to another. */
function follows(parcel: Range, known: Range): boolean {
  if (parcel.last > known.last) return parcel.first >= known.last;
  // Further parts of the same range, or of a batch without new edges after it. The same end of another cut is no new part.
  const continues = parcel.first === known.first || parcel.first === parcel.last;
  return parcel.last === known.last && continues && parcel.part > known.part;
}
