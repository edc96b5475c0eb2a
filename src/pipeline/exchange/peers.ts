import type { Shard } from '../../graph/shard.ts';

/** What is known of another shard. Times are epoch ms. */
export interface Peer {
  readonly shard: number;
  /** When the newest parcel of it that this process received was written to the log; undefined before the first. */
  readonly heardAt: number | undefined;
  /** `heardAt`, or when this process began to listen. */
  readonly silentSince: number;
}

/** The other shards of a graph, as one shard knows them: when each was last heard of, and last sent something. */
export class Peers {
  readonly #shard: Shard;
  readonly #clock: () => number;
  readonly #began: number;
  /** By shard. */
  readonly #heardAt = new Map<number, number>();
  readonly #sentAt = new Map<number, number>();

  constructor(shard: Shard, clock: () => number) {
    this.#shard = shard;
    this.#clock = clock;
    this.#began = clock();
  }

  /** Notes a parcel of the shard. at: when it was written to the log, epoch ms. */
  heard(shard: number, at: number): void {
    this.#heardAt.set(shard, Math.max(at, this.#heardAt.get(shard) ?? at));
  }

  /** Notes that something is on its way to the shard. */
  sent(shard: number): void {
    this.#sentAt.set(shard, this.#clock());
  }

  /** The shards that were sent nothing for `ms`, this one left out. */
  unsentFor(ms: number): number[] {
    const now = this.#clock();
    return this.#others().filter((shard) => now - (this.#sentAt.get(shard) ?? this.#began) >= ms);
  }

  /** The other shards, in order. */
  list(): Peer[] {
    return this.#others().map((shard) => {
      const heardAt = this.#heardAt.get(shard);
      return { shard, heardAt, silentSince: heardAt ?? this.#began };
    });
  }

  #others(): number[] {
    const { index, count } = this.#shard;
    return Array.from({ length: count }, (_, shard) => shard).filter((shard) => shard !== index);
  }
}
