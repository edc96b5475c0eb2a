import { RowUpdater } from '../../model/adagrad.ts';
import type { Chunk, Kernel } from '../../model/kernel.ts';
import type { ModelSettings } from '../../model/settings.ts';
import type { Table } from '../../model/table.ts';
import {
  type ChunkSize,
  checkChunk,
  checkScored,
  checkScoreMatrix,
  createChunk,
  OWN_ARRAYS,
  scoreByAnchor,
} from '../chunk.ts';
import { TENSOR_LOSSES } from './losses.ts';
import { Operands } from './operands.ts';
import { TENSOR_SCORERS } from './scores.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** Gradients of the weighted loss, with the shapes of the {@link Operands} of the same names. */
interface Gradients {
  readonly moved: Float32Array;
  readonly positives: Float32Array;
  readonly candidates: Float32Array;
}

/**
 * The kernel on TensorFlow.js. It copies rows out of the table, lets TensorFlow.js compute and differentiate the loss, and
 * sums and applies the gradients here. The gradients are therefore independent of those of the other kernels, and check
 * them. With the GPU package, the products run on the GPU.
 */
export class TfjsKernel implements Kernel {
  readonly name = 'tfjs';
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #tf: TensorFlow;
  readonly #table: Table;
  readonly #settings: ModelSettings;
  readonly #operands: Operands;
  readonly #gradients: RowGradients;
  readonly #updater: RowUpdater;
  /** Gradients of the foreign rows in the last step. */
  readonly #foreign = new Map<number, Float32Array>();

  constructor(tf: TensorFlow, table: Table, settings: ModelSettings, size: ChunkSize) {
    this.#tf = tf;
    this.#table = table;
    this.#settings = settings;
    this.chunk = createChunk(size, settings, OWN_ARRAYS);
    this.losses = new Float32Array(size.maxEdges);
    this.#operands = new Operands(settings, size);
    this.#updater = new RowUpdater(table, settings);
    this.#gradients = new RowGradients(settings.dim);
  }

  step(): number {
    const { chunk } = this;
    const firstEntity = checkChunk(chunk, this.#table);
    this.#foreign.clear();
    this.#operands.gather(chunk, this.#table);
    // TensorFlow.js takes no empty product.
    if (chunk.edges === 0 || this.#operands.sides.length === 0) {
      this.losses.fill(0);
      return 0;
    }
    let sum = 0;
    this.#tf.tidy(() => {
      const { terms, gradients } = this.#differentiate();
      this.#sumByRow(gradients);
      sum = this.#takeLosses(terms);
    });
    this.#gradients.forEach((row, gradient) => {
      if (this.#table.isForeign(row)) this.#foreign.set(row, Float32Array.from(gradient));
      else this.#updater.update(row, gradient, row >= firstEntity, chunk.learningRate);
    });
    return sum;
  }

  foreignGradients(visit: (row: number, gradient: Float32Array) => void): void {
    for (const [row, gradient] of this.#foreign) visit(row, gradient);
  }

  scores(anchor: number, relationRow: number, candidates: Int32Array, out: Float32Array): void {
    checkScored(this.#table, anchor, relationRow, candidates, out);
    if (candidates.length === 0) return;
    const { scorer, beta, dim } = this.#settings;
    const relation = this.#table.vector(relationRow);
    const moved = this.#table.vector(anchor).map((x, k) => x + relation[k]!);
    const vectors = new Float32Array(candidates.length * dim);
    for (const [j, row] of candidates.entries()) vectors.set(this.#table.vector(row), j * dim);
    const tf = this.#tf;
    tf.tidy(() => {
      const all = {
        moved: tf.tensor(moved, [1, 1, dim]),
        candidates: tf.tensor(vectors, [1, candidates.length, dim]),
      };
      out.set(TENSOR_SCORERS[scorer].all(tf, beta, all).dataSync());
    });
  }

  scoreMatrix(
    anchors: Int32Array,
    relationRows: Int32Array,
    candidates: Int32Array,
    out: Float32Array,
  ): void {
    checkScoreMatrix(this.#table, anchors, relationRows, candidates, out);
    scoreByAnchor(this, anchors, relationRows, candidates, out);
  }

  /** terms: [sides, edges, terms], the terms of the loss, without weights. */
  #differentiate(): { terms: Float32Array; gradients: Gradients } {
    const tf = this.#tf;
    const { scorer, loss, beta, dim } = this.#settings;
    const { sides, edges, count, terms, ...arrays } = this.#operands;
    const tensor = (values: Float32Array, rows: number, columns: number): Tensor =>
      tf.tensor(values.subarray(0, sides.length * rows * columns), [sides.length, rows, columns]);
    const bias = tensor(arrays.bias, edges, count);
    const lossOf = tf.valueAndGrads((moved, positives, candidates) => {
      const all = { moved, positives, candidates };
      const scores = TENSOR_SCORERS[scorer].joined(tf, beta, all, TENSOR_LOSSES[loss].sign);
      return TENSOR_LOSSES[loss].terms(tf, scores, bias, this.#settings);
    });
    const vectors = [
      tensor(arrays.moved, edges, dim),
      tensor(arrays.positives, edges, dim),
      tensor(arrays.candidates, count, dim),
    ];
    const { value, grads } = lossOf(vectors, tensor(arrays.weights, edges, terms));
    const [moved, positives, candidates] = grads.map((gradient) => gradient.dataSync());
    return {
      terms: value.dataSync(),
      gradients: { moved: moved!, positives: positives!, candidates: candidates! },
    };
  }

  #sumByRow({ moved, positives, candidates }: Gradients): void {
    const { chunk } = this;
    const gradients = this.#gradients;
    gradients.clear();
    for (const [which, side] of this.#operands.sides.entries()) {
      for (let i = 0; i < chunk.edges; i++) {
        const index = which * chunk.edges + i;
        gradients.add(side.anchors[i]!, moved, index);
        gradients.add(2 * chunk.relation[i]! + side.reverse, moved, index);
        gradients.add(side.positives[i]!, positives, index);
      }
      const first = which * this.#operands.count;
      for (const [j, row] of side.candidates.entries()) gradients.add(row, candidates, first + j);
    }
  }

  /** Writes the weighted loss of each edge, summed over its anchors, into `losses`; returns their sum. */
  #takeLosses(values: Float32Array): number {
    const { sides, edges, terms, weights } = this.#operands;
    let sum = 0;
    for (let i = 0; i < edges; i++) {
      let loss = 0;
      for (let which = 0; which < sides.length; which++) {
        loss += dot(weights, values, (which * edges + i) * terms, terms);
      }
      this.losses[i] = loss;
      sum += loss;
    }
    return sum;
  }
}

/** Σ a · b over `length` numbers from `from` on. Two sums side by side, since one sum waits for each addition. */
function dot(a: Float32Array, b: Float32Array, from: number, length: number): number {
  let [even, odd] = [0, 0];
  let at = from;
  for (; at < from + length - 1; at += 2) {
    even += a[at]! * b[at]!;
    odd += a[at + 1]! * b[at + 1]!;
  }
  if (at < from + length) even += a[at]! * b[at]!;
  return even + odd;
}

/** Gradients summed by row, in float64. Allocations are used again in the next step. */
class RowGradients {
  readonly #dim: number;
  /** By row: its index in `#sums`. */
  readonly #places = new Map<number, number>();
  /** [dim] each. */
  readonly #sums: Float64Array[] = [];

  constructor(dim: number) {
    this.#dim = dim;
  }

  clear(): void {
    this.#places.clear();
  }

  /** Adds gradient `index` of `gradients`, [n, dim], to the sum of the row. */
  add(row: number, gradients: Float32Array, index: number): void {
    const place = this.#places.get(row);
    const sum = place === undefined ? this.#newSum(row) : this.#sums[place]!;
    addVector(sum, gradients, index * this.#dim);
  }

  /** Gives each row with its sum. */
  forEach(use: (row: number, gradient: Float64Array) => void): void {
    this.#places.forEach((place, row) => {
      use(row, this.#sums[place]!);
    });
  }

  #newSum(row: number): Float64Array {
    const place = this.#places.size;
    this.#places.set(row, place);
    this.#sums[place] ??= new Float64Array(this.#dim);
    return this.#sums[place].fill(0);
  }
}

/**
 * Adds four numbers a turn, which saves loop overhead, in a function of its own, since V8 ran out of registers beside the
 * lookup of the row. The sums of a step took 300 µs before, and 185 µs now.
 */
function addVector(sum: Float64Array, gradients: Float32Array, from: number): void {
  const dim = sum.length;
  let k = 0;
  for (; k < dim - 3; k += 4) {
    const at = from + k;
    sum[k]! += gradients[at]!;
    sum[k + 1]! += gradients[at + 1]!;
    sum[k + 2]! += gradients[at + 2]!;
    sum[k + 3]! += gradients[at + 3]!;
  }
  for (; k < dim; k++) sum[k]! += gradients[from + k]!;
}
