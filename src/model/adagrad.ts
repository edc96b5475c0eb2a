/** Keeps the step finite while the accumulator is 0. */
export const ADAGRAD_EPSILON = 1e-8;

/** Least drift of a row that was touched: drift 0 says that nothing happened since the last publish. */
export const MIN_MOVE = 1e-12;

/**
 * Moves one row by a step of row-wise Adagrad, in place: accumulator += mean of g²; vector −= rate · g / (√accumulator +
 * ε). Returns the new accumulator. vector, gradient: [dim]; the gradient is the sum over all appearances of the row in
 * the step. Source: PyTorch-BigGraph, `torchbiggraph/row_adagrad.py`.
 */
export function adagradUpdate(
  vector: Float64Array,
  gradient: Float64Array,
  accumulator: number,
  learningRate: number,
): number {
  const dim = gradient.length;
  let squares = 0;
  for (let k = 0; k < dim; k++) squares += gradient[k]! * gradient[k]!;
  const grown = accumulator + squares / dim;
  const rate = learningRate / (Math.sqrt(grown) + ADAGRAD_EPSILON);
  for (let k = 0; k < dim; k++) vector[k]! -= rate * gradient[k]!;
  return grown;
}

/** Scales a vector longer than 1 back to length 1, in place. */
export function intoUnitBall(vector: Float64Array): void {
  let squares = 0;
  for (let k = 0; k < vector.length; k++) squares += vector[k]! * vector[k]!;
  if (squares <= 1) return;
  const norm = Math.sqrt(squares);
  for (let k = 0; k < vector.length; k++) vector[k]! /= norm;
}

/** Length of a row's move, at least {@link MIN_MOVE}. before, after: [dim]. */
export function moveOf(before: Float64Array, after: Float64Array): number {
  let square = 0;
  for (let k = 0; k < before.length; k++) {
    const move = after[k]! - before[k]!;
    square += move * move;
  }
  return Math.max(Math.sqrt(square), MIN_MOVE);
}
