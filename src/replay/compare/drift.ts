import { rotate } from './rotation.ts';

/** How far vectors of the same entities lie apart. */
export interface Drift {
  readonly entities: number;
  /** L2 distance: its mean, and what 99 in 100 stay below. */
  readonly distance: { readonly mean: number; readonly p99: number };
  /** Cosine: its mean, and what 99 in 100 stay above. */
  readonly cosine: { readonly mean: number; readonly p01: number };
}

/**
 * Distance and cosine between an entity's vector in A and in B. as, bs: [n, dim]. rotation: [dim, dim], applied to A's
 * first. undefined where there is no entity. A vector of zeros has cosine 0 with any.
 */
export function driftOf(
  as: Float32Array,
  bs: Float32Array,
  dim: number,
  rotation?: Float64Array,
): Drift | undefined {
  const entities = as.length / dim;
  if (entities === 0) return undefined;
  const distances = new Float64Array(entities);
  const cosines = new Float64Array(entities);
  const turned = new Float64Array(dim);
  for (let row = 0; row < entities; row++) {
    const own = as.subarray(row * dim, (row + 1) * dim);
    if (rotation) rotate(own, rotation, turned);
    else turned.set(own);
    let [square, squareA, squareB, dot] = [0, 0, 0, 0];
    for (let i = 0; i < dim; i++) {
      const [x, y] = [turned[i]!, bs[row * dim + i]!];
      square += (x - y) ** 2;
      squareA += x * x;
      squareB += y * y;
      dot += x * y;
    }
    distances[row] = Math.sqrt(square);
    cosines[row] = squareA === 0 || squareB === 0 ? 0 : dot / Math.sqrt(squareA * squareB);
  }
  return {
    entities,
    distance: { mean: mean(distances), p99: distances.sort()[Math.ceil(0.99 * entities) - 1]! },
    cosine: { mean: mean(cosines), p01: cosines.sort()[entities - Math.ceil(0.99 * entities)]! },
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
