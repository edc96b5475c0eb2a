import type { ChunkSide, ScoreMatrix } from '../../model/kernel.ts';
import { NEGLIGIBLE_EXPONENT } from '../../model/losses.ts';
import { MIN_SQUARED_DISTANCE } from '../../model/scorers.ts';
import type { LossName, ModelSettings, ScorerName } from '../../model/settings.ts';
import type { Table } from '../../model/table.ts';
import { type ChunkSize, checkScoreMatrix } from '../chunk.ts';
import { SummingKernel } from '../summing-kernel.ts';
import type { Tensor, TensorFlow } from './tensorflow.ts';

/** Added to the score of a masked candidate where a loss has no weights by candidate, so that its term vanishes. */
const MASKED = -1e30;

/**
 * The kernel on TensorFlow.js. It copies rows out of the table, lets TensorFlow.js compute and differentiate the loss, and
 * sums and applies the gradients here. The gradients are therefore independent of those of the other kernels, and check
 * them. With the GPU package, the products run on the GPU.
 */
export class TfjsKernel extends SummingKernel {
  readonly name = 'tfjs';
  readonly #tf: TensorFlow;

  constructor(tf: TensorFlow, table: Table, settings: ModelSettings, size: ChunkSize) {
    super(table, settings, size);
    this.#tf = tf;
  }

  override scoreMatrix(...asked: ScoreMatrix): void {
    const [anchors, relationRows, candidates, out] = checkScoreMatrix(this.table, asked);
    if (candidates.length === 0) return;
    const { scorer, beta } = this.settings;
    this.#tf.tidy(() => {
      const vectors = this.#vectors(candidates);
      anchors.forEach((anchor, i) => {
        const moved = this.#translated(Int32Array.of(anchor), Int32Array.of(relationRows[i]!));
        out.set(SCORERS[scorer].all(this.#tf, beta, moved, vectors).dataSync(), i * candidates.length);
      });
    });
  }

  protected override addSide(side: ChunkSide, losses: Float64Array): void {
    this.#tf.tidy(() => this.#addTensors(side, losses));
  }

  #addTensors(side: ChunkSide, losses: Float64Array): void {
    const tf = this.#tf;
    const { scorer, loss, beta } = this.settings;
    const { edges, relation } = this.chunk;
    const anchors = side.anchors.subarray(0, edges);
    const positives = side.positives.subarray(0, edges);
    const rows = side.candidates.subarray(0, side.count);
    const relationRows = relation.subarray(0, edges).map((each) => 2 * each + side.reverse);
    const { bias, weights, terms } = this.#masks(side);
    const lossOf = tf.valueAndGrads((moved, positive, candidates) => {
      const scores = {
        positive: SCORERS[scorer].each(tf, beta, moved!, positive!),
        negatives: SCORERS[scorer].all(tf, beta, moved!, candidates!),
      };
      return LOSSES[loss].terms(tf, scores, bias, this.settings);
    });
    const operands = [this.#translated(anchors, relationRows), this.#vectors(positives), this.#vectors(rows)];
    const { value, grads } = lossOf(operands, tf.tensor(weights, [edges, terms]));
    const values = value.dataSync();
    for (let i = 0; i < edges; i++) {
      for (let at = i * terms; at < (i + 1) * terms; at++) losses[i]! += weights[at]! * values[at]!;
    }
    const [moved, positive, candidates] = grads;
    this.#addRows(anchors, moved!);
    this.#addRows(relationRows, moved!);
    this.#addRows(positives, positive!);
    this.#addRows(rows, candidates!);
  }

  /** bias: [edges, candidates] added to scores where candidates have no terms of their own; weights: [edges, terms] of the loss. */
  #masks({ count, mask, corrections }: ChunkSide) {
    const { edges, edgeWeights, maxCandidates } = this.chunk;
    const { ofAnchor, ofCandidates } = LOSSES[this.settings.loss];
    const logOfWeight = Math.log(this.settings.negativeWeight);
    const terms = (ofAnchor ? 1 : 0) + (ofCandidates ? count : 0);
    const bias = new Float32Array(edges * count);
    const weights = new Float32Array(edges * terms);
    for (let i = 0; i < edges; i++) {
      const masked = mask.subarray(i * maxCandidates, i * maxCandidates + count);
      const negatives = Math.max(1, masked.filter((each) => each === 0).length);
      if (ofAnchor) weights[i * terms] = edgeWeights[i]!;
      for (let j = 0; j < count; j++) {
        const open = masked[j] === 0;
        bias[i * count + j] = open ? logOfWeight - corrections[j]! : MASKED;
        if (ofCandidates) weights[(i + 1) * terms - count + j] = open ? edgeWeights[i]! / negatives : 0;
      }
    }
    return { bias: this.#tf.tensor(bias, [edges, count]), weights, terms };
  }

  /** [rows, dim]: vectors of the table. */
  #vectors(rows: Int32Array): Tensor {
    const { dim } = this.settings;
    const floats = new Float32Array(rows.length * dim);
    for (const [i, row] of rows.entries()) floats.set(this.table.vector(row), i * dim);
    return this.#tf.tensor(floats, [rows.length, dim]);
  }

  /** [anchors, dim]: anchor + relation. */
  #translated(anchors: Int32Array, relationRows: Int32Array): Tensor {
    return this.#tf.add(this.#vectors(anchors), this.#vectors(relationRows));
  }

  /** Adds gradient i, of [rows, dim], to the sum of row i. */
  #addRows(rows: Int32Array, tensor: Tensor): void {
    const { dim } = this.settings;
    const floats = tensor.dataSync();
    for (const [i, row] of rows.entries()) {
      const sum = this.gradientOf(row);
      for (let k = 0; k < dim; k++) sum[k]! += floats[i * dim + k]!;
    }
  }
}

/** Scores of translated anchors, [edges, dim]; higher is better. */
interface TensorScorer {
  /** [edges, 1]: each anchor with its own vector of `others`, [edges, dim]. */
  each(tf: TensorFlow, beta: number, moved: Tensor, others: Tensor): Tensor;
  /** [edges, candidates]: each anchor with all of `candidates`, [candidates, dim]. */
  all(tf: TensorFlow, beta: number, moved: Tensor, candidates: Tensor): Tensor;
}

const SCORERS: Readonly<Record<ScorerName, TensorScorer>> = {
  'transe-l1': {
    each: (tf, beta, moved, others) => tf.mul(-beta, tf.sum(absolute(tf, tf.sub(moved, others)), 1, true)),
    // [edges, candidates, dim] in between, since no matrix product gives sums of absolute values.
    all: (tf, beta, moved, candidates) =>
      tf.mul(
        -beta,
        tf.sum(absolute(tf, tf.sub(tf.expandDims(moved, 1), tf.expandDims(candidates, 0))), 2, false),
      ),
  },
  'transe-l2': {
    each: (tf, beta, moved, others) => tf.mul(-beta, length(tf, squaresBetween(tf, moved, others))),
    all: (tf, beta, moved, candidates) => tf.mul(-beta, length(tf, squaresToAll(tf, moved, candidates))),
  },
  'transe-l2-squared': {
    each: (tf, beta, moved, others) => tf.mul(-beta, squaresBetween(tf, moved, others)),
    all: (tf, beta, moved, candidates) => tf.mul(-beta, squaresToAll(tf, moved, candidates)),
  },
  twhin: {
    each: (tf, beta, moved, others) => tf.mul(beta, tf.sum(tf.mul(moved, others), 1, true)),
    all: (tf, beta, moved, candidates) => tf.mul(beta, tf.matMul(moved, candidates, false, true)),
  },
};

/** |x|, with gradient 0 where x is 0, as in the other kernels. The gradient of TensorFlow.js's own is −1 there. */
function absolute(tf: TensorFlow, x: Tensor): Tensor {
  return tf.add(tf.maximum(0, x), tf.maximum(0, tf.mul(-1, x)));
}

/** √squares, with gradient 0 where vectors are equal; the gradient of the root alone would be infinite. */
function length(tf: TensorFlow, squares: Tensor): Tensor {
  return tf.sqrt(tf.maximum(squares, MIN_SQUARED_DISTANCE));
}

function squaresBetween(tf: TensorFlow, moved: Tensor, others: Tensor): Tensor {
  return tf.sum(tf.square(tf.sub(moved, others)), 1, true);
}

/** ‖moved‖² + ‖candidate‖² − 2 · moved · candidate. */
function squaresToAll(tf: TensorFlow, moved: Tensor, candidates: Tensor): Tensor {
  const ofCandidates = tf.expandDims(tf.sum(tf.square(candidates), 1, false), 0);
  const products = tf.matMul(tf.mul(-2, moved), candidates, false, true);
  return tf.add(tf.add(tf.sum(tf.square(moved), 1, true), ofCandidates), products);
}

/**
 * A loss as a weighted sum of terms: one term for the anchor, or one for each candidate, or both in this order. The weight
 * of an anchor's term is that of the edge; a candidate's is that divided by the number of negatives, and 0 where masked.
 */
interface TensorLoss {
  readonly ofAnchor: boolean;
  readonly ofCandidates: boolean;
  /** [edges, terms]. positive: [edges, 1]; negatives and bias: [edges, candidates]. */
  terms(
    tf: TensorFlow,
    scores: { readonly positive: Tensor; readonly negatives: Tensor },
    bias: Tensor,
    settings: Pick<ModelSettings, 'margin'>,
  ): Tensor;
}

const LOSSES: Readonly<Record<LossName, TensorLoss>> = {
  /**
   * log(1 + ω · Σ e^(s⁻ − s⁺)), computed without exponents above 0 as t + log(e^−t + Σ e^(s⁻ − s⁺ + log ω − t)) with
   * t = max(0, largest s⁻ − s⁺ + log ω). t cancels out of the gradient, so it is a constant. Rejected: a softmax over all
   * scores, whose positive gradient p − 1 loses its bits in float32 for p near 1.
   */
  softmax: {
    ofAnchor: true,
    ofCandidates: false,
    terms(tf, { positive, negatives }, bias) {
      const ahead = tf.add(tf.sub(negatives, positive), bias);
      const largest = tf.max(ahead, -1, true);
      const tops = largest.dataSync().map((x) => Math.max(x, 0));
      const top = tf.tensor(tops, largest.shape);
      const one = tf.tensor(
        tops.map((x) => Math.exp(Math.max(-x, NEGLIGIBLE_EXPONENT))),
        largest.shape,
      );
      const sum = tf.sum(tf.exp(notBelow(tf, tf.sub(ahead, top))), 1, true);
      return tf.add(top, tf.log(tf.add(one, sum)));
    },
  },
  /** log(1 + e^−(s⁺ + γ)), and for each candidate log(1 + e^(s⁻ + γ)). */
  logistic: {
    ofAnchor: true,
    ofCandidates: true,
    terms: (tf, { positive, negatives }, _bias, { margin }) =>
      tf.softplus(
        notBelow(tf, tf.concat([tf.mul(-1, tf.add(positive, margin)), tf.add(negatives, margin)], 1)),
      ),
  },
  /** For each candidate, max(0, γ − s⁺ + s⁻). */
  margin: {
    ofAnchor: false,
    ofCandidates: true,
    terms: (tf, { positive, negatives }, _bias, { margin }) =>
      tf.maximum(0, tf.sub(negatives, tf.sub(positive, margin))),
  },
};

/** The larger of x and the negligible exponent, below which there is no gradient. */
function notBelow(tf: TensorFlow, x: Tensor): Tensor {
  return tf.maximum(x, NEGLIGIBLE_EXPONENT);
}
