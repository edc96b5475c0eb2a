import type { Chunk, ChunkSide } from '../../src/model/kernel.ts';
import type { ModelSettings } from '../../src/model/settings.ts';

/*
 * The loss as in the papers, in float64 and without tricks, to check the gradients of kernels.
 * Valid for moderate scores only.
 */

/** The loss of each edge of the chunk, summed over both anchors. vectors: by row. */
export function plainLosses(
  vectors: readonly Float64Array[],
  chunk: Chunk,
  settings: ModelSettings,
): number[] {
  return Array.from({ length: chunk.edges }, (_, i) => {
    const lhs = vectors[chunk.lhs[i]!]!;
    const rhs = vectors[chunk.rhs[i]!]!;
    const forward = vectors[2 * chunk.relation[i]!]!;
    const reverse = vectors[2 * chunk.relation[i]! + 1]!;
    const unmasked = ({ candidates, count, mask, corrections }: ChunkSide): SideNegatives => ({
      candidates: count,
      negatives: [...candidates.subarray(0, count)]
        .map((row, j) => ({ vector: vectors[row]!, correction: corrections[j]! }))
        .filter((_, j) => mask[i * chunk.maxCandidates + j] === 0),
    });
    const losses = [
      anchorLoss(plus(lhs, forward), rhs, unmasked(chunk.sides.rhs), settings),
      anchorLoss(plus(rhs, reverse), lhs, unmasked(chunk.sides.lhs), settings),
    ];
    return chunk.edgeWeights[i]! * sum(losses);
  });
}

/** What an anchor is trained against: the number of candidates, and those that are not masked. */
interface SideNegatives {
  readonly candidates: number;
  readonly negatives: readonly { readonly vector: Float64Array; readonly correction: number }[];
}

/** A side without candidates is not trained. */
function anchorLoss(
  anchor: Float64Array,
  positive: Float64Array,
  { candidates, negatives }: SideNegatives,
  settings: ModelSettings,
): number {
  if (candidates === 0) return 0;
  const good = plainScore(anchor, positive, settings);
  const bad = negatives.map(({ vector }) => plainScore(anchor, vector, settings));
  if (settings.loss === 'softmax') {
    // A candidate drawn e^c times as often as others counts e^−c times.
    const rest =
      settings.negativeWeight *
      sum(bad.map((score, j) => Math.exp(score) / Math.exp(negatives[j]!.correction)));
    return -Math.log(Math.exp(good) / (Math.exp(good) + rest));
  }
  const { margin } = settings;
  if (settings.loss === 'margin')
    return bad.length > 0 ? sum(bad.map((score) => Math.max(0, margin - good + score))) / bad.length : 0;
  const ofNegatives = bad.map((score) => -Math.log(sigmoid(-(score + margin))));
  return -Math.log(sigmoid(good + margin)) + (bad.length > 0 ? sum(ofNegatives) / bad.length : 0);
}

/** Score of two vectors. */
export function plainScore(a: Float64Array, b: Float64Array, { scorer, beta }: ModelSettings): number {
  const numbers = [...a];
  if (scorer === 'twhin') return beta * sum(numbers.map((x, k) => x * b[k]!));
  if (scorer === 'transe-l1') return -beta * sum(numbers.map((x, k) => Math.abs(x - b[k]!)));
  const squares = sum(numbers.map((x, k) => (x - b[k]!) ** 2));
  return -beta * (scorer === 'transe-l2-squared' ? squares : Math.sqrt(squares));
}

/** The gradient of the chunk's loss at a row, by central differences. */
export function numericalGradient(
  vectors: readonly Float64Array[],
  row: number,
  chunk: Chunk,
  settings: ModelSettings,
): number[] {
  const h = 1e-5;
  const total = (k: number, change: number) => {
    const moved = vectors.map((vector) => vector.slice());
    moved[row]![k]! += change;
    return sum(plainLosses(moved, chunk, settings));
  };
  return Array.from({ length: settings.dim }, (_, k) => (total(k, h) - total(k, -h)) / (2 * h));
}

export const plus = (a: Float64Array, b: Float64Array) => a.map((x, k) => x + b[k]!);
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
