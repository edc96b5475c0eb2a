import type { Chunk } from '../../model/kernel.ts';
import type { Table } from '../../model/table.ts';
import type { ChunkSize } from '../chunk.ts';
import { type Side, sidesOf } from '../sides.ts';
import { MASKED, type TensorLoss } from './losses.ts';

/**
 * A chunk copied out of the table for TensorFlow, its two sides one after the other. The side with fewer candidates is
 * filled up with masked ones. Arrays have room for the largest chunk; what counts lies at their beginning.
 */
export class Operands {
  edges = 0;
  /** Candidates of each side, filled up; at least 1, since TensorFlow takes no empty product. */
  count = 0;
  /** Terms of an anchor's loss. */
  terms = 0;
  /** [2, edges, dim] anchor + relation. */
  readonly moved: Float32Array;
  /** [2, edges, dim] */
  readonly positives: Float32Array;
  /** [2, count, dim] */
  readonly candidates: Float32Array;
  /** [2, edges, count] added to the scores of candidates; only for a loss without terms of its candidates. */
  readonly bias: Float32Array;
  /** [2, edges, terms] of the loss's terms. */
  readonly weights: Float32Array;
  readonly #dim: number;
  readonly #loss: TensorLoss;

  constructor(dim: number, loss: TensorLoss, { maxEdges, maxCandidates }: ChunkSize) {
    const most = Math.max(maxCandidates, 1);
    this.#dim = dim;
    this.#loss = loss;
    this.moved = new Float32Array(2 * maxEdges * dim);
    this.positives = new Float32Array(2 * maxEdges * dim);
    this.candidates = new Float32Array(2 * most * dim);
    this.bias = new Float32Array(2 * maxEdges * most);
    this.weights = new Float32Array(2 * maxEdges * (most + 1));
  }

  /** Copies the chunk's rows, masks and weights. */
  gather(chunk: Chunk, table: Table): void {
    const dim = this.#dim;
    this.edges = chunk.edges;
    this.count = Math.max(chunk.lhsCount, chunk.rhsCount, 1);
    this.terms = (this.#loss.ofAnchor ? 1 : 0) + (this.#loss.ofCandidates ? this.count : 0);
    for (const [which, side] of sidesOf(chunk).entries()) {
      this.#gatherEdges(which * this.edges, side, chunk, table);
      const first = which * this.count;
      const own = side.candidates.length;
      for (let j = 0; j < own; j++) {
        this.candidates.set(table.vector(side.candidates[j]!), (first + j) * dim);
      }
      this.candidates.fill(0, (first + own) * dim, (first + this.count) * dim);
      this.#gatherMasks(which * this.edges, side, chunk);
    }
  }

  #gatherEdges(first: number, { anchors, reverse, positives }: Side, chunk: Chunk, table: Table): void {
    const dim = this.#dim;
    const { floats } = table;
    const { moved } = this;
    for (let i = 0; i < this.edges; i++) {
      const to = (first + i) * dim;
      const anchor = table.at(anchors[i]!);
      const relation = table.at(2 * chunk.relation[i]! + reverse);
      for (let k = 0; k < dim; k++) moved[to + k] = floats[anchor + k]! + floats[relation + k]!;
      this.positives.set(table.vector(positives[i]!), to);
    }
  }

  #gatherMasks(first: number, { candidates, mask }: Side, chunk: Chunk): void {
    const { count, terms } = this;
    const { ofAnchor, ofCandidates } = this.#loss;
    const out = ofCandidates ? this.weights : this.bias;
    const closed = ofCandidates ? 0 : MASKED;
    const own = candidates.length;
    for (let i = 0; i < this.edges; i++) {
      const from = i * chunk.maxCandidates;
      const weight = chunk.edgeWeights[i]!;
      if (ofAnchor) this.weights[(first + i) * terms] = weight;
      let negatives = 0;
      for (let j = 0; j < own; j++) if (mask[from + j] === 0) negatives++;
      const to = ofCandidates ? (first + i + 1) * terms - count : (first + i) * count;
      out.fill(ofCandidates ? weight / Math.max(negatives, 1) : 0, to, to + own);
      out.fill(closed, to + own, to + count);
      for (let j = 0; j < own && negatives < own; j++) if (mask[from + j] !== 0) out[to + j] = closed;
    }
  }
}
