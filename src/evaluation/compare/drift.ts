/** Distances between the vectors of the same entities. */
export interface Drift {
  readonly entities: number;
  /** L2 distance: mean and 99th percentile. */
  readonly distance: { readonly mean: number; readonly p99: number };
  /** Cosine: mean and first percentile. */
  readonly cosine: { readonly mean: number; readonly p01: number };
}

/**
 * Distance and cosine between the vectors of an entity in A and in B. as, bs: [n, dim]. rotation: [dim, dim], applied to
 * the vectors of A first. undefined where there is no entity. The cosine with a vector of zeros is 0.
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

/** Enough rounds for a matrix of condition 10^10. A matrix that is not orthogonal by then is singular up to rounding. */
const MAX_ROUNDS = 70;
const TOLERANCE = 1e-10;

/**
 * The orthogonal matrix R that brings the rows of a · R nearest to the rows of b, by least squares: [dim, dim], row-major.
 * a, b: [n, dim]. undefined where the rows span fewer than `dim` directions, so that R is not unique.
 * Source: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem": R is the polar factor of aᵀ b.
 */
export function bestRotation(a: Float32Array, b: Float32Array, dim: number): Float64Array | undefined {
  const product = new Float64Array(dim * dim);
  for (let row = 0; row < a.length; row += dim) {
    for (let i = 0; i < dim; i++) {
      const x = a[row + i]!;
      for (let j = 0; j < dim; j++) product[i * dim + j]! += x * b[row + j]!;
    }
  }
  return polarFactor(product, dim);
}

/** A row times a matrix [dim, dim], into `out`. */
export function rotate(row: Float32Array, matrix: Float64Array, out: Float64Array): void {
  const dim = row.length;
  out.fill(0);
  for (let i = 0; i < dim; i++) {
    const x = row[i]!;
    for (let j = 0; j < dim; j++) out[j]! += x * matrix[i * dim + j]!;
  }
}

/**
 * The orthogonal factor of a square matrix by Newton–Schulz: X ← X (3 − XᵀX) / 2 drives every singular value to 1 and
 * keeps the directions. From Frobenius norm 1, all singular values are in (0, 1], where the iteration converges.
 * Source: Higham 2008, "Functions of Matrices", section 8.3.
 */
function polarFactor(matrix: Float64Array, dim: number): Float64Array | undefined {
  const norm = Math.hypot(...rowNorms(matrix, dim));
  if (norm === 0) return undefined;
  let x: Float64Array = matrix.map((value) => value / norm);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const gram = transposedTimes(x, dim);
    let off = 0;
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++) {
        const value = gram[i * dim + j]!;
        off = Math.max(off, Math.abs(value - (i === j ? 1 : 0)));
        gram[i * dim + j] = (i === j ? 1.5 : 0) - value / 2;
      }
    }
    if (off < TOLERANCE) return x;
    x = times(x, gram, dim);
  }
  return undefined;
}

function rowNorms(matrix: Float64Array, dim: number): number[] {
  return Array.from({ length: dim }, (_, i) => Math.hypot(...matrix.subarray(i * dim, (i + 1) * dim)));
}

/** xᵀ x. */
function transposedTimes(x: Float64Array, dim: number): Float64Array {
  const out = new Float64Array(dim * dim);
  for (let k = 0; k < dim; k++) {
    const row = x.subarray(k * dim, (k + 1) * dim);
    for (let i = 0; i < dim; i++) {
      const value = row[i]!;
      for (let j = 0; j < dim; j++) out[i * dim + j]! += value * row[j]!;
    }
  }
  return out;
}

function times(x: Float64Array, y: Float64Array, dim: number): Float64Array {
  const out = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) {
    for (let k = 0; k < dim; k++) {
      const value = x[i * dim + k]!;
      for (let j = 0; j < dim; j++) out[i * dim + j]! += value * y[k * dim + j]!;
    }
  }
  return out;
}
