import type { Chunk } from '../model/kernel.ts';
import type { EdgeRows, TypePair } from './chunks.ts';
import type { KnownPositives, MaskTask } from './known-positives.ts';
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

/** Fills a kernel's chunk: the edges, candidates for both sides, and which of them are no negatives. */
export class Negatives {
  readonly #chunk: Chunk;
  readonly #pool: NegativePool;
  readonly #known: KnownPositives;
  readonly #relations: readonly TrainedRelation[];
  readonly #uniform: number;
  readonly #rhsTask: MaskTask;
  readonly #lhsTask: MaskTask;

  /**
   * uniform: how many candidates a side are drawn uniformly, on top of the chunk's own; pool: of how many rows of their
   * type in each batch, 0 for all.
   */
  constructor(options: {
    chunk: Chunk;
    rows: TypeRows;
    known: KnownPositives;
    relations: readonly TrainedRelation[];
    uniform: number;
    pool: number;
  }) {
    const { chunk } = options;
    this.#chunk = chunk;
    this.#pool = new NegativePool(options.rows, options.pool);
    this.#known = options.known;
    this.#relations = options.relations;
    this.#uniform = options.uniform;
    const shared = { edges: 0, count: 0, relation: chunk.relation, stride: chunk.maxCandidates, hub: HUB };
    this.#rhsTask = {
      ...shared,
      side: 'rhs',
      anchors: chunk.lhs,
      positives: chunk.rhs,
      candidates: chunk.rhsCandidates,
      mask: chunk.rhsMask,
    };
    this.#lhsTask = {
      ...shared,
      side: 'lhs',
      anchors: chunk.rhs,
      positives: chunk.lhs,
      candidates: chunk.lhsCandidates,
      mask: chunk.lhsMask,
    };
  }

  /** Begins a batch: its uniform candidates are drawn anew. */
  startBatch(): void {
    this.#pool.renew();
  }

  /**
   * Puts the edges `order[from … to - 1]` of a batch in the chunk. Candidates of a side are the chunk's own entities
   * of that side, one an edge, then `uniform` rows of their type, with replacement; rhs is drawn before lhs.
   */
  fill(edges: EdgeRows, order: Int32Array, from: number, to: number, random: Random): void {
    const chunk = this.#chunk;
    const count = to - from;
    for (let i = 0; i < count; i++) {
      const edge = order[from + i]!;
      chunk.lhs[i] = edges.lhs[edge]!;
      chunk.relation[i] = edges.relation[edge]!;
      chunk.rhs[i] = edges.rhs[edge]!;
      chunk.edgeWeights[i] = this.#relations[edges.relation[edge]!]!.weight ?? 1;
    }
    const { lhsType, rhsType } = this.#relations[chunk.relation[0]!]!;
    chunk.edges = count;
    chunk.rhsCount = this.#candidates(chunk.rhsCandidates, chunk.rhs, count, rhsType, random);
    chunk.lhsCount = this.#candidates(chunk.lhsCandidates, chunk.lhs, count, lhsType, random);
    this.#mask(this.#rhsTask, count, chunk.rhsCount);
    this.#mask(this.#lhsTask, count, chunk.lhsCount);
  }

  #candidates(out: Int32Array, own: Int32Array, count: number, type: number, random: Random): number {
    for (let k = 0; k < count; k++) out[k] = own[k]!;
    const end = count + this.#uniform;
    for (let k = count; k < end; k++) out[k] = this.#pool.draw(type, random);
    return end;
  }

  #mask(task: MaskTask, edges: number, count: number): void {
    task.edges = edges;
    task.count = count;
    this.#known.mask(task);
  }
}
