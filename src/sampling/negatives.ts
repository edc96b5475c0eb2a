import type { EdgeRows } from '../graph/edge.ts';
import type { Chunk } from '../model/kernel.ts';
import type { TypePair } from './batch.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';
import type { TypeRows } from './type-rows.ts';

/** A row with more live edges is a hub. Masking all its neighbours is slow, and keeps the model from telling them apart. */
const HUB = 1_000;

/** How the edges of a relation are trained. */
export interface TrainedRelation extends TypePair {
  /** Factor on the loss of the relation's edges; default 1. */
  readonly weight?: number;
}

/** Fills the chunks of a kernel: edges, candidates for both sides, and masks. */
export class Negatives {
  readonly #pool: NegativePool;
  readonly #known: KnownPositives;
  readonly #relations: readonly TrainedRelation[];
  readonly #uniform: number;
  readonly #inBatch: boolean;

  /**
   * uniform: candidates per side that are drawn uniformly; pool: see {@link NegativePool}, 0 for none.
   * inBatch: whether the entities of the chunk are candidates too, each as often as it is in an edge. Popular entities are
   * then negatives in proportion to their popularity, and scores express preference beyond popularity.
   */
  constructor(options: {
    rows: TypeRows;
    known: KnownPositives;
    relations: readonly TrainedRelation[];
    uniform: number;
    inBatch: boolean;
    pool: number;
  }) {
    this.#pool = new NegativePool(options.rows, options.pool);
    this.#known = options.known;
    this.#relations = options.relations;
    this.#uniform = options.uniform;
    this.#inBatch = options.inBatch;
  }

  /** Begins a batch, with a new pool. */
  startBatch(): void {
    this.#pool.renew();
  }

  /**
   * Fills the chunk with the edges of a batch whose indices are in `picked`. The candidates of a side are the chunk's own
   * entities of that side (if in-batch candidates are wanted), one per edge, then `uniform` rows of their type, drawn with
   * replacement. rhs is drawn before lhs.
   */
  fill(chunk: Chunk, edges: EdgeRows, picked: Int32Array, random: Random): void {
    const count = picked.length;
    for (let i = 0; i < count; i++) {
      const edge = picked[i]!;
      chunk.lhs[i] = edges.lhs[edge]!;
      chunk.relation[i] = edges.relation[edge]!;
      chunk.rhs[i] = edges.rhs[edge]!;
      chunk.edgeWeights[i] = this.#relations[edges.relation[edge]!]!.weight ?? 1;
    }
    const { lhsType, rhsType } = this.#relations[chunk.relation[0]!]!;
    chunk.edges = count;
    chunk.rhsCount = this.#candidates(chunk.rhsCandidates, chunk.rhs, count, rhsType, random);
    chunk.lhsCount = this.#candidates(chunk.lhsCandidates, chunk.lhs, count, lhsType, random);
    this.#mask(chunk);
  }

  #candidates(out: Int32Array, own: Int32Array, count: number, type: number, random: Random): number {
    const inBatch = this.#inBatch ? count : 0;
    for (let k = 0; k < inBatch; k++) out[k] = own[k]!;
    const end = inBatch + this.#uniform;
    for (let k = inBatch; k < end; k++) out[k] = this.#pool.draw(type, random);
    return end;
  }

  #mask(chunk: Chunk): void {
    const shared = { edges: chunk.edges, relation: chunk.relation, stride: chunk.maxCandidates, hub: HUB };
    this.#known.mask({
      ...shared,
      side: 'rhs',
      anchors: chunk.lhs,
      positives: chunk.rhs,
      count: chunk.rhsCount,
      candidates: chunk.rhsCandidates,
      mask: chunk.rhsMask,
    });
    this.#known.mask({
      ...shared,
      side: 'lhs',
      anchors: chunk.rhs,
      positives: chunk.lhs,
      count: chunk.lhsCount,
      candidates: chunk.lhsCandidates,
      mask: chunk.lhsMask,
    });
  }
}

/**
 * A pool of uniformly drawn rows of each type, from which a batch draws its uniform negatives: a batch draws the same row
 * several times. Over many batches each row is a negative as often as without a pool, but fewer rows move in one batch,
 * and commits, which write every moved row, are smaller. A place in the pool is filled when it is first drawn, so that a
 * small batch draws as if without a pool.
 */
export class NegativePool {
  readonly #rows: TypeRows;
  readonly #places: number;
  /** By type: [places] the row in each place, valid if `#filled` has the current batch. */
  readonly #pools: Int32Array[] = [];
  /** By type: [places] the batch in which the place was filled. */
  readonly #filled: Uint32Array[] = [];
  /** The current batch. Starts at 1, since 0 in `#filled` means never filled. */
  #batch = 1;

  /** places: rows of each type in the pool; 0: no pool, each draw is from all rows of the type. */
  constructor(rows: TypeRows, places: number) {
    this.#rows = rows;
    this.#places = places;
  }

  /** Empties the pool. Must be called before the first draw of a batch, since rows of the old pool may have been dropped. */
  renew(): void {
    this.#batch++;
  }

  /** A row of the type; over many batches all rows are equally likely. The type must have a row. */
  draw(type: number, random: Random): number {
    if (this.#rows.count(type) <= this.#places || this.#places === 0) return this.#rows.draw(type, random);
    this.#pools[type] ??= new Int32Array(this.#places);
    this.#filled[type] ??= new Uint32Array(this.#places);
    const place = random.below(this.#places);
    const pool = this.#pools[type];
    const filled = this.#filled[type];
    if (filled[place] !== this.#batch) {
      filled[place] = this.#batch;
      pool[place] = this.#rows.draw(type, random);
    }
    return pool[place]!;
  }
}
