import type { Chunk } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import type { Table } from '../../model/table.ts';
import { type ChunkSize, type Side, trainedSides } from '../chunk.ts';
import { MASKED, TENSOR_LOSSES, type TensorLoss } from './losses.ts';

type OperandSettings = Pick<ModelSettings, 'dim' | 'loss' | 'negativeWeight'>;

/**
 * A chunk copied out of the table for TensorFlow.js, its trained sides one after the other. The side with fewer candidates
 * is padded with masked ones. The arrays have room for the largest chunk and are filled from their beginning.
 */
export class Operands {
  /** The sides with candidates: none, one or two. */
  sides: readonly Side[] = [];
  edges = 0;
  /** Candidates per side, padding included. */
  count = 0;
  /** Terms in the loss of an anchor. */
  terms = 0;
  /** [sides, edges, dim] anchor + relation. */
  readonly moved: Float32Array;
  /** [sides, edges, dim] */
  readonly positives: Float32Array;
  /** [sides, count, dim] */
  readonly candidates: Float32Array;
  /** [sides, edges, count] added to the scores of candidates; only for a loss whose candidates have no terms. */
  readonly bias: Float32Array;
  /** [sides, edges, terms] the weights of the terms. */
  readonly weights: Float32Array;
  readonly #dim: number;
  readonly #loss: TensorLoss;
  readonly #logOfWeight: number;

  constructor({ dim, loss, negativeWeight }: OperandSettings, { maxEdges, maxCandidates }: ChunkSize) {
    const most = maxCandidates;
    this.#dim = dim;
    this.#loss = TENSOR_LOSSES[loss];
    this.#logOfWeight = Math.log(negativeWeight);
    this.moved = new Float32Array(2 * maxEdges * dim);
    this.positives = new Float32Array(2 * maxEdges * dim);
    this.candidates = new Float32Array(2 * most * dim);
    this.bias = new Float32Array(2 * maxEdges * most);
    this.weights = new Float32Array(2 * maxEdges * (1 + most));
  }

  /** Copies the chunk's rows, masks and weights. */
  gather(chunk: Chunk, table: Table): void {
    const dim = this.#dim;
    this.edges = chunk.edges;
    this.count = Math.max(chunk.lhsCount, chunk.rhsCount);
    this.terms = (this.#loss.ofAnchor ? 1 : 0) + (this.#loss.ofCandidates ? this.count : 0);
    this.sides = trainedSides(chunk);
    for (const [which, side] of this.sides.entries()) {
      copyRows(table, side.positives.subarray(0, this.edges), this.positives, which * this.edges * dim);
      const first = which * this.count * dim;
      const end = copyRows(table, side.candidates, this.candidates, first);
      this.candidates.fill(0, end, first + this.count * dim);
      this.#gatherMasks(which * this.edges, side, chunk);
    }
    for (const [which, side] of this.sides.entries()) this.#translate(which, side, chunk, table);
  }

  /**
   * Takes anchors from the positives of the other side, where it is trained and they are already copied: the table's rows
   * are slower to read.
   */
  #translate(which: number, { anchors, reverse }: Side, { relation }: Chunk, table: Table): void {
    const dim = this.#dim;
    const { edges, positives, moved } = this;
    const copied = this.sides.length === 2;
    for (let i = 0; i < edges; i++) {
      const anchor = copied ? ((1 - which) * edges + i) * dim : table.at(anchors[i]!);
      const vector = table.at(2 * relation[i]! + reverse);
      const from = copied ? positives : table.floats;
      add(from, anchor, table.floats, vector, moved, (which * edges + i) * dim, dim);
    }
  }

  #gatherMasks(first: number, { candidates, mask, corrections }: Side, chunk: Chunk): void {
    const { count, terms } = this;
    const { ofAnchor, ofCandidates } = this.#loss;
    const out = ofCandidates ? this.weights : this.bias;
    const closed = ofCandidates ? 0 : MASKED;
    const own = candidates.length;
    for (let i = 0; i < this.edges; i++) {
      const from = i * chunk.maxCandidates;
      const weight = chunk.edgeWeights[i]!;
      if (ofAnchor) this.weights[(first + i) * terms] = weight;
      const negatives = countOpen(mask, from, own);
      const to = ofCandidates ? (first + i + 1) * terms - count : (first + i) * count;
      if (ofCandidates) out.fill(weight / Math.max(negatives, 1), to, to + own);
      else for (let j = 0; j < own; j++) out[to + j] = this.#logOfWeight - corrections[j]!;
      out.fill(closed, to + own, to + count);
      if (negatives < own) close(mask, from, own, out, to, closed);
    }
  }
}

/** Copies the rows' vectors to `out`, from `to` on; returns their end. */
function copyRows(table: Table, rows: Int32Array, out: Float32Array, to: number): number {
  const { dim } = table;
  for (let i = 0; i < rows.length; i++) out.set(table.vector(rows[i]!), to + i * dim);
  return to + rows.length * dim;
}

/** out = a + b, for `dim` numbers from the given places on. */
function add(
  a: Float32Array,
  fromA: number,
  b: Float32Array,
  fromB: number,
  out: Float32Array,
  to: number,
  dim: number,
): void {
  for (let k = 0; k < dim; k++) out[to + k] = a[fromA + k]! + b[fromB + k]!;
}

/** How many of `count` elements of the mask are 0. */
function countOpen(mask: Uint8Array, from: number, count: number): number {
  let open = 0;
  for (let j = 0; j < count; j++) if (mask[from + j] === 0) open++;
  return open;
}

/** Writes `value` where the mask is not 0. */
function close(
  mask: Uint8Array,
  from: number,
  count: number,
  out: Float32Array,
  to: number,
  value: number,
): void {
  for (let j = 0; j < count; j++) if (mask[from + j] !== 0) out[to + j] = value;
}
