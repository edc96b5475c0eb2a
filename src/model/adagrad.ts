/** Keeps the step finite while the accumulator is 0. */
export const ADAGRAD_EPSILON = 1e-8;

/** Least drift of a row that was touched: drift 0 says that nothing happened since the last publish. */
export const MIN_MOVE = 1e-12;

/** What one update made of a row. */
export interface RowUpdate {
  /** [dim], not yet rounded to float32. */
  readonly vector: Float64Array;
  readonly accumulator: number;
}

/**
 * One row after a step of row-wise Adagrad: accumulator += mean of g²; vector −= rate · g / (√accumulator + ε).
 * vector, gradient: [dim]; the gradient is the sum over all appearances of the row in the step.
 * Source: PyTorch-BigGraph, `torchbiggraph/row_adagrad.py`.
 */
export function adagradUpdate(
  vector: Float64Array,
  gradient: Float64Array,
  accumulator: number,
  learningRate: number,
): RowUpdate {
  let squares = 0;
  for (const g of gradient) squares += g * g;
  const grown = accumulator + squares / gradient.length;
  const rate = learningRate / (Math.sqrt(grown) + ADAGRAD_EPSILON);
  return { vector: vector.map((x, k) => x - rate * gradient[k]!), accumulator: grown };
}

/** Scales a vector longer than 1 back to length 1, in place. */
export function intoUnitBall(vector: Float64Array): void {
  const norm = Math.hypot(...vector);
  if (norm <= 1) return;
  for (let k = 0; k < vector.length; k++) vector[k]! /= norm;
}

/** Length of a row's move, at least {@link MIN_MOVE}. before, after: [dim]. */
export function moveOf(before: Float64Array, after: Float64Array): number {
  let square = 0;
  for (let k = 0; k < before.length; k++) square += (after[k]! - before[k]!) ** 2;
  return Math.max(Math.sqrt(square), MIN_MOVE);
}
