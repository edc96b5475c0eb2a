import type { Chunk } from '../model/kernel.ts';
import type { EdgeRows, TypePair } from './chunks.ts';
import type { KnownPositives } from './known-positives.ts';
import { NegativePool } from './negative-pool.ts';
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
      ...{ side: 'rhs', anchors: chunk.lhs, positives: chunk.rhs },
      ...{ count: chunk.rhsCount, candidates: chunk.rhsCandidates, mask: chunk.rhsMask },
    });
    this.#known.mask({
      ...shared,
      ...{ side: 'lhs', anchors: chunk.rhs, positives: chunk.lhs },
      ...{ count: chunk.lhsCount, candidates: chunk.lhsCandidates, mask: chunk.lhsMask },
    });
  }
}
