import type { Chunk } from '../../model/kernel.ts';
import type { Table } from '../../model/table.ts';
import type { ChunkSize } from '../chunk.ts';
import { type Side, sidesOf } from '../sides.ts';
import { MASKED } from './losses.ts';

/**
 * A chunk copied out of the table for TensorFlow, its two sides one after the other. The side with fewer candidates is
 * filled up with masked ones. Arrays have room for the largest chunk; what counts lies at their beginning.
 */
export class Operands {
  edges = 0;
  /** Candidates of each side, filled up; at least 1, since TensorFlow takes no empty product. */
  count = 0;
  /** [2, edges, dim] anchor + relation. */
  readonly moved: Float32Array;
  /** [2, edges, dim] */
  readonly positives: Float32Array;
  /** [2, count, dim] */
  readonly candidates: Float32Array;
  /** [2, edges, count] added to the scores of the candidates. */
  readonly bias: Float32Array;
  /** [2, edges] one over the number of an anchor's negatives; 0 where it has none. */
  readonly shares: Float32Array;
  /** [2, edges] what an anchor's loss is multiplied by. */
  readonly weights: Float32Array;
  readonly #dim: number;

  constructor(dim: number, { maxEdges, maxCandidates }: ChunkSize) {
    const most = Math.max(maxCandidates, 1);
    this.#dim = dim;
    this.moved = new Float32Array(2 * maxEdges * dim);
    this.positives = new Float32Array(2 * maxEdges * dim);
    this.candidates = new Float32Array(2 * most * dim);
    this.bias = new Float32Array(2 * maxEdges * most);
    this.shares = new Float32Array(2 * maxEdges);
    this.weights = new Float32Array(2 * maxEdges);
  }

  /** Copies the chunk's rows. open: bias of an unmasked candidate. */
  gather(chunk: Chunk, table: Table, open: number): void {
    const dim = this.#dim;
    this.edges = chunk.edges;
    this.count = Math.max(chunk.lhsCount, chunk.rhsCount, 1);
    for (const [which, side] of sidesOf(chunk).entries()) {
      this.#gatherEdges(which * this.edges, side, chunk, table);
      const first = which * this.count;
      const own = side.candidates.length;
      for (let j = 0; j < own; j++) copyRow(table, side.candidates[j]!, this.candidates, (first + j) * dim);
      this.candidates.fill(0, (first + own) * dim, (first + this.count) * dim);
    }
    this.#gatherMasks(chunk, open);
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
      copyRow(table, positives[i]!, this.positives, to);
      this.weights[first + i] = chunk.edgeWeights[i]!;
    }
  }

  #gatherMasks(chunk: Chunk, open: number): void {
    const { count, edges, bias } = this;
    for (const [which, { candidates, mask }] of sidesOf(chunk).entries()) {
      for (let i = 0; i < edges; i++) {
        const from = i * chunk.maxCandidates;
        const to = (which * edges + i) * count;
        let negatives = 0;
        for (let j = 0; j < count; j++) {
          const isNegative = j < candidates.length && mask[from + j] === 0;
          bias[to + j] = isNegative ? open : MASKED;
          if (isNegative) negatives++;
        }
        this.shares[which * edges + i] = negatives === 0 ? 0 : 1 / negatives;
      }
    }
  }
}

function copyRow(table: Table, row: number, out: Float32Array, to: number): void {
  const { floats, dim } = table;
  const from = table.at(row);
  for (let k = 0; k < dim; k++) out[to + k] = floats[from + k]!;
}
