import type { ModelSettings } from './settings.ts';
import type { Table } from './table.ts';

/*
 * Row-wise Adagrad: one accumulator per row, to which the mean square of the row's gradient is added. The gradient is
 * the sum over all appearances of the row in the step. Source: PyTorch-BigGraph, `torchbiggraph/row_adagrad.py`.
 */

/** The gradient of a row, [dim]: computed here in float64, or received from another shard in float32. */
type Gradient = Float64Array | Float32Array;

/** Keeps the rate finite while the accumulator is 0. */
const ADAGRAD_EPSILON = 1e-8;

/** Least drift added by an update, since drift 0 means: not updated since the last publish. */
const MIN_MOVE = 1e-12;

/** The factor on the gradient. accumulator: with this gradient added. */
export function rateOf(accumulator: number, learningRate: number): number {
  return learningRate / (Math.sqrt(accumulator) + ADAGRAD_EPSILON);
}

/** The share of the learning rate that is left when the decay is over. */
const LEAST_SHARE = 0.01;

/**
 * The learning rate of a step that follows `step` others: falls linearly from `learningRate`, at step 0, towards 0 at step
 * `decaySteps`, but not below a hundredth, so that training never stops. Without `decaySteps`, the rate is constant.
 */
export function decayed(learningRate: number, step: number, decaySteps: number | undefined): number {
  if (decaySteps === undefined) return learningRate;
  return learningRate * Math.max(1 - step / decaySteps, LEAST_SHARE);
}

/** Σ x². Four sums side by side, since a single sum waits for each addition before it starts the next. */
function sumOfSquares(vector: Gradient): number {
  const dim = vector.length;
  let [a, b, c, d] = [0, 0, 0, 0];
  let k = 0;
  for (; k < dim - 3; k += 4) {
    a += vector[k]! * vector[k]!;
    b += vector[k + 1]! * vector[k + 1]!;
    c += vector[k + 2]! * vector[k + 2]!;
    d += vector[k + 3]! * vector[k + 3]!;
  }
  for (; k < dim; k++) a += vector[k]! * vector[k]!;
  return a + b + (c + d);
}

/** Moves rows by their gradients: row-wise Adagrad, unit ball, drift. Computes in float64; the table rounds to float32. */
export class RowUpdater {
  readonly #table: Table;
  readonly #unitBall: boolean;

  constructor(table: Table, { unitBall }: Pick<ModelSettings, 'unitBall'>) {
    this.#table = table;
    this.#unitBall = unitBall;
  }

  /** gradient: [dim], summed over the row's appearances; zeros change nothing, nor does a foreign row. isEntity: kept in the unit ball. */
  update(row: number, gradient: Gradient, isEntity: boolean, learningRate: number): void {
    const squares = sumOfSquares(gradient);
    if (squares === 0 || this.#table.isForeign(row)) return;
    const { floats, accumulator, drift, dim } = this.#table;
    const at = this.#table.at(row);
    const grown = floats[at + accumulator]! + squares / dim;
    floats[at + accumulator] = grown;
    const moved = this.#move(at, gradient, isEntity, rateOf(grown, learningRate));
    floats[at + drift]! += Math.max(moved, MIN_MOVE);
  }

  /**
   * Moves a copy of another shard's entity as its owner will move the row with this gradient, and returns the accumulator after it.
   * accumulator: the owner's before it, as far as it is known here.
   */
  updateCopy(row: number, gradient: Gradient, accumulator: number, learningRate: number): number {
    const squares = sumOfSquares(gradient);
    if (squares === 0) return accumulator;
    const grown = accumulator + squares / this.#table.dim;
    this.#move(this.#table.at(row), gradient, true, rateOf(grown, learningRate));
    return grown;
  }

  /** The length of the move. */
  #move(at: number, gradient: Gradient, isEntity: boolean, rate: number): number {
    const { floats } = this.#table;
    const length = this.#unitBall && isEntity ? movedLength(floats, at, gradient, rate) : 0;
    return move(floats, at, gradient, rate, 1 / Math.max(length, 1));
  }
}

/** The length of the vector at `at` after its move. */
function movedLength(floats: Float32Array, at: number, gradient: Gradient, rate: number): number {
  let squares = 0;
  for (let k = 0; k < gradient.length; k++) {
    const moved = floats[at + k]! - rate * gradient[k]!;
    squares += moved * moved;
  }
  return Math.sqrt(squares);
}

/** Moves the vector in place and scales it; returns the length of the move. With copies, updates took a third longer. */
function move(floats: Float32Array, at: number, gradient: Gradient, rate: number, scale: number): number {
  let squares = 0;
  for (let k = 0; k < gradient.length; k++) {
    const before = floats[at + k]!;
    const after = Math.fround(scale * (before - rate * gradient[k]!));
    floats[at + k] = after;
    squares += (after - before) * (after - before);
  }
  return Math.sqrt(squares);
}
