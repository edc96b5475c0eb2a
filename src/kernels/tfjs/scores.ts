import { MIN_SQUARED_DISTANCE } from '../../model/scorers.ts';
import type { ScorerName } from '../../model/settings.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/**
 * Compares translated anchors with candidates, both sides at once. Higher is better.
 * moved: [2, edges, dim]; positives: [2, edges, dim]; candidates: [2, candidates, dim].
 */
interface TensorScorer {
  /** [2, edges, 1]: each anchor with its own positive. */
  positive(tf: TensorFlow, beta: number, moved: Tensor, positives: Tensor): Tensor;
  /** [2, edges, candidates]: each anchor with all candidates of its side. */
  all(tf: TensorFlow, beta: number, moved: Tensor, candidates: Tensor): Tensor;
}

const transeL1: TensorScorer = {
  positive: (tf, beta, moved, positives) =>
    tf.mul(-beta, sumLast(tf, absolute(tf, tf.sub(moved, positives)))),
  all(tf, beta, moved, candidates) {
    // [2, edges, candidates, dim]: no product gives sums of absolute values.
    const all = absolute(tf, tf.sub(tf.expandDims(moved, 2), tf.expandDims(candidates, 1)));
    const [sides = 0, edges = 0, count = 0, dim = 0] = all.shape;
    const distances = sumLast(tf, tf.reshape(all, [sides, edges * count, dim]));
    return tf.mul(-beta, tf.reshape(distances, [sides, edges, count]));
  },
};

const transeL2: TensorScorer = {
  positive: (tf, beta, moved, positives) => tf.mul(-beta, length(tf, squaresBetween(tf, moved, positives))),
  all: (tf, beta, moved, candidates) => tf.mul(-beta, length(tf, squaresToAll(tf, moved, candidates))),
};

const transeL2Squared: TensorScorer = {
  positive: (tf, beta, moved, positives) => tf.mul(-beta, squaresBetween(tf, moved, positives)),
  all: (tf, beta, moved, candidates) => tf.mul(-beta, squaresToAll(tf, moved, candidates)),
};

const twhin: TensorScorer = {
  positive: (tf, beta, moved, positives) => times(tf, beta, sumLast(tf, tf.mul(moved, positives))),
  all: (tf, beta, moved, candidates) => times(tf, beta, tf.matMul(moved, candidates, false, true)),
};

/** Scorers by the name a configuration gives them. */
export const TENSOR_SCORERS: Readonly<Record<ScorerName, TensorScorer>> = {
  'transe-l1': transeL1,
  'transe-l2': transeL2,
  'transe-l2-squared': transeL2Squared,
  twhin,
};

/**
 * Sums over the last axis, which stays, of length 1. x: [sides, m, n]. As a product with ones: for the gradient of its own
 * sum, TensorFlow.js fills an array as large as x with ones in JavaScript, which took five times as long.
 */
export function sumLast(tf: TensorFlow, x: Tensor): Tensor {
  const [sides = 0, , n = 0] = x.shape;
  return tf.matMul(x, tf.ones([sides, n, 1]));
}

/** factor · x. By 1, as the paper has it, it is x: each operation and its gradient cost 20 to 40 µs. */
function times(tf: TensorFlow, factor: number, x: Tensor): Tensor {
  return factor === 1 ? x : tf.mul(factor, x);
}

/** |x|, with gradient 0 where x is 0, as the other kernels have it: TensorFlow.js's own has −1 there. */
function absolute(tf: TensorFlow, x: Tensor): Tensor {
  return tf.add(tf.maximum(0, x), tf.maximum(0, tf.neg(x)));
}

/** √squares, with gradient 0 where vectors meet: that of the root alone would be infinite. */
function length(tf: TensorFlow, squares: Tensor): Tensor {
  return tf.sqrt(tf.maximum(squares, MIN_SQUARED_DISTANCE));
}

function squaresBetween(tf: TensorFlow, moved: Tensor, positives: Tensor): Tensor {
  return sumLast(tf, tf.square(tf.sub(moved, positives)));
}

/** ‖moved‖² + ‖candidate‖² − 2 · moved · candidate, so that the work is one product. */
function squaresToAll(tf: TensorFlow, moved: Tensor, candidates: Tensor): Tensor {
  const ofCandidates = tf.transpose(sumLast(tf, tf.square(candidates)), [0, 2, 1]);
  const products = tf.matMul(tf.mul(moved, -2), candidates, false, true);
  return tf.add(tf.add(sumLast(tf, tf.square(moved)), ofCandidates), products);
}
