import type { EdgeRows } from '../graph/edge.ts';
import type { Chunk } from '../model/kernel.ts';
import type { TypePair } from './batch.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';
import type { TypeRows } from './type-rows.ts';

/** So many live edges make a row a hub: to mask all of them costs much, and keeps its many neighbours from being told apart. */
const HUB = 1_000;

/** What of a relation decides how its edges are trained. */
export interface TrainedRelation extends TypePair {
  /** What the loss of its edges is multiplied by; 1 where it is left out. */
  readonly weight?: number;
}

/** Fills kernels' chunks: the edges, candidates for both sides, and which of them are no negatives. */
export class Negatives {
  readonly #pool: NegativePool;
  readonly #known: KnownPositives;
  readonly #relations: readonly TrainedRelation[];
  readonly #uniform: number;
  readonly #inBatch: boolean;

  /**
   * uniform: how many candidates a side are drawn uniformly; pool: of how many rows of their type in each batch, 0 for
   * all. inBatch: the chunk's own entities are candidates as well, each as often as it is in an edge: what is popular is
   * then a negative in proportion, and its scores say how much more it is chosen than by all, not how much.
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

  /** Begins a batch: its uniform candidates are drawn anew. */
  startBatch(): void {
    this.#pool.renew();
  }

  /**
   * Puts some of a batch's edges in the chunk: `picked` has their indices. Candidates of a side are, if in-batch ones are
   * wanted, the chunk's own entities of that side, one an edge; then `uniform` rows of their type, with replacement. rhs is
   * drawn before lhs.
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
 * Uniform rows of each type, of which a batch's uniform negatives are drawn: a row drawn at all is drawn several times in
 * the batch. Each row is a negative as often as without it, in fewer batches; so fewer rows move in one, and a commit,
 * which writes every row that moved, is smaller. A place of the pool is filled when it is first drawn: a batch that
 * draws little draws as if there were none.
 */
export class NegativePool {
  readonly #rows: TypeRows;
  readonly #places: number;
  /** By type, [places] row in each place, good where `#filled` says so. */
  readonly #pools: Int32Array[] = [];
  /** By type, [places] the batch a place was filled in. */
  readonly #filled: Uint32Array[] = [];
  /** Places start as filled in batch 0, which never is. */
  #batch = 1;

  /** places: rows of a type in a batch's pool; 0: every row is drawn from all of its type. */
  constructor(rows: TypeRows, places: number) {
    this.#rows = rows;
    this.#places = places;
  }

  /** Empties it for the next batch. Call it before the first draw of each: rows dropped since might still be in it. */
  renew(): void {
    this.#batch++;
  }

  /** A row of the type, each equally likely over many batches. The type must have one. */
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
