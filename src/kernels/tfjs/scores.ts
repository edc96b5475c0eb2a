import { MIN_SQUARED_DISTANCE } from '../../model/scorers.ts';
import type { ScorerName } from '../../model/settings.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** Translated anchors and the vectors to compare them with, for each side. */
export interface Vectors {
  /** [sides, edges, dim] anchor + relation. */
  readonly moved: Tensor;
  /** [sides, edges, dim], the positive of each anchor. */
  readonly positives: Tensor;
  /** [sides, candidates, dim] */
  readonly candidates: Tensor;
}

/** Scores of {@link Vectors}; higher is better. */
interface TensorScorer {
  /**
   * [sides, edges, 1 + candidates]: for each anchor the score of its positive, times `sign`, then those of the candidates. The
   * sign costs nothing here; a loss would need an operation for it.
   */
  joined(tf: TensorFlow, beta: number, vectors: Vectors, sign: 1 | -1): Tensor;
  /** [sides, edges, candidates]: the scores of the candidates. */
  all(tf: TensorFlow, beta: number, vectors: Omit<Vectors, 'positives'>): Tensor;
}

const transeL1: TensorScorer = {
  joined: (tf, beta, vectors, sign) =>
    join(tf, sumLast(tf, absolute(tf, offsets(tf, vectors)), -beta * sign), transeL1.all(tf, beta, vectors)),
  all(tf, beta, { moved, candidates }) {
    // [sides, edges, candidates, dim], since no matrix product gives sums of absolute values.
    const all = absolute(tf, tf.sub(tf.expandDims(moved, 2), tf.expandDims(candidates, 1)));
    const [sides = 0, edges = 0, count = 0, dim = 0] = all.shape;
    const scores = sumLast(tf, tf.reshape(all, [sides, edges * count, dim]), -beta);
    return tf.reshape(scores, [sides, edges, count]);
  },
};

const transeL2: TensorScorer = {
  joined(tf, beta, vectors, sign) {
    const squares = join(tf, squaresBetween(tf, 1, vectors), squaresToAll(tf, 1, vectors));
    const [, , columns = 0] = squares.shape;
    return tf.mul(length(tf, squares), row(tf, columns, -beta * sign, -beta));
  },
  all: (tf, beta, vectors) => tf.mul(-beta, length(tf, squaresToAll(tf, 1, vectors))),
};

const transeL2Squared: TensorScorer = {
  joined: (tf, beta, vectors, sign) =>
    join(tf, squaresBetween(tf, -beta * sign, vectors), squaresToAll(tf, -beta, vectors)),
  all: (tf, beta, vectors) => squaresToAll(tf, -beta, vectors),
};

const twhin: TensorScorer = {
  joined: (tf, beta, vectors, sign) =>
    join(
      tf,
      sumLast(tf, tf.mul(vectors.moved, vectors.positives), beta * sign),
      twhin.all(tf, beta, vectors),
    ),
  all: (tf, beta, { moved, candidates }) =>
    // β is mostly 1, as in the paper; without the multiplication 20 to 40 µs are saved.
    tf.matMul(beta === 1 ? moved : tf.mul(moved, beta), candidates, false, true),
};

/** Scorers by their name in the configuration. */
export const TENSOR_SCORERS: Readonly<Record<ScorerName, TensorScorer>> = {
  'transe-l1': transeL1,
  'transe-l2': transeL2,
  'transe-l2-squared': transeL2Squared,
  twhin,
};

/** [1, 1, columns]: one number for the positive, then another for every candidate. */
export function row(tf: TensorFlow, columns: number, positive: number, candidate: number): Tensor {
  const numbers = new Float32Array(columns).fill(candidate);
  numbers[0] = positive;
  return tf.tensor(numbers, [1, 1, columns]);
}

function join(tf: TensorFlow, positive: Tensor, all: Tensor): Tensor {
  return tf.concat([positive, all], 2);
}

/**
 * [sides, m, 1]: `factor` times the sums over the last axis. x: [sides, m, n]. Computed as a matrix product: for the
 * gradient of a sum, TensorFlow.js fills an array as large as x in JavaScript, which took five times as long.
 */
export function sumLast(tf: TensorFlow, x: Tensor, factor: number): Tensor {
  const [sides = 0, , n = 0] = x.shape;
  return tf.matMul(x, filled(tf, [sides, n, 1], factor));
}

function filled(tf: TensorFlow, shape: readonly number[], value: number): Tensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return tf.tensor(new Float32Array(size).fill(value), shape);
}

/** |x|, with gradient 0 where x is 0, as in the other kernels. The gradient of TensorFlow.js's own is −1 there. */
function absolute(tf: TensorFlow, x: Tensor): Tensor {
  return tf.add(tf.maximum(0, x), tf.maximum(0, tf.neg(x)));
}

/** √squares, with gradient 0 where vectors are equal; the gradient of the root alone would be infinite. */
function length(tf: TensorFlow, squares: Tensor): Tensor {
  return tf.sqrt(tf.maximum(squares, MIN_SQUARED_DISTANCE));
}

function offsets(tf: TensorFlow, { moved, positives }: Pick<Vectors, 'moved' | 'positives'>): Tensor {
  return tf.sub(moved, positives);
}

/** [sides, edges, 1]: `factor` times the squared distance of each anchor to its positive. */
function squaresBetween(tf: TensorFlow, factor: number, vectors: Vectors): Tensor {
  return sumLast(tf, tf.square(offsets(tf, vectors)), factor);
}

/**
 * [sides, edges, candidates]: `factor` times the squared distances, as ‖moved‖² + ‖candidate‖² − 2 · moved · candidate.
 */
function squaresToAll(
  tf: TensorFlow,
  factor: number,
  { moved, candidates }: Omit<Vectors, 'positives'>,
): Tensor {
  const [sides = 0, , dim = 0] = moved.shape;
  const ofMoved = sumLast(tf, tf.square(moved), factor);
  const ofCandidates = tf.matMul(filled(tf, [sides, 1, dim], factor), tf.square(candidates), false, true);
  const products = tf.matMul(tf.mul(moved, -2 * factor), candidates, false, true);
  return tf.add(tf.add(ofMoved, ofCandidates), products);
}
