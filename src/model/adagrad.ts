/**
 * Row-wise Adagrad: one accumulator for a row, which its vector's mean square gradient is added to. The gradient is the
 * sum over all appearances of the row in the step. Source: PyTorch-BigGraph, `torchbiggraph/row_adagrad.py`.
 */

/** Keeps the step finite while the accumulator is 0. */
export const ADAGRAD_EPSILON = 1e-8;

/** Least drift of a row that was touched: drift 0 says that nothing happened since the last publish. */
export const MIN_MOVE = 1e-12;

/** Rate that the gradient is multiplied with, of the accumulator that it was added to. */
export function rateOf(accumulator: number, learningRate: number): number {
  return learningRate / (Math.sqrt(accumulator) + ADAGRAD_EPSILON);
}

/** Four sums side by side: one alone waits for the addition before, four times as long as an addition takes. */
export function sumOfSquares(vector: Float64Array): number {
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
