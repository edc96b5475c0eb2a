/** Rounds of the power iteration; it starts from the axes before, so that few are enough. */
const ROUNDS = 12;

/** Points in two dimensions, and the axes they lie on. */
export interface Projection {
  /** [n, 2], row-major. */
  readonly points: Float64Array;
  /** Two of [dim], of length 1 and at right angles. */
  readonly axes: readonly [Float64Array, Float64Array];
}

/**
 * The two directions in which the vectors differ most (principal components, by power iteration), and where each vector
 * lies on them. vectors: n of [dim]. before: axes of an earlier picture: the new ones begin there, so that the picture
 * moves as the vectors do and does not turn over.
 */
export function project(vectors: readonly Float32Array[], before?: Projection['axes']): Projection {
  const dim = vectors[0]?.length ?? 0;
  const mean = meanOf(vectors, dim);
  const first = component(vectors, mean, before?.[0] ?? slanted(dim, 0), undefined);
  const second = component(vectors, mean, before?.[1] ?? slanted(dim, 1), first);
  const points = new Float64Array(2 * vectors.length);
  vectors.forEach((vector, i) => {
    points[2 * i] = along(vector, mean, first);
    points[2 * i + 1] = along(vector, mean, second);
  });
  return { points, axes: [first, second] };
}

/** across: a direction that the component must be at right angles to. */
function component(
  vectors: readonly Float32Array[],
  mean: Float64Array,
  start: Float64Array,
  across: Float64Array | undefined,
): Float64Array {
  let axis = upright(Float64Array.from(start), across);
  for (let round = 0; round < ROUNDS; round++) {
    const next = new Float64Array(axis.length);
    for (const vector of vectors) {
      const length = along(vector, mean, axis);
      for (let k = 0; k < next.length; k++) next[k]! += length * (vector[k]! - mean[k]!);
    }
    if (norm(next) < 1e-12) break;
    axis = upright(next, across);
  }
  return axis;
}

/** At right angles to `across`, of length 1. */
function upright(axis: Float64Array, across: Float64Array | undefined): Float64Array {
  if (across !== undefined) {
    let shared = 0;
    for (let k = 0; k < axis.length; k++) shared += axis[k]! * across[k]!;
    for (let k = 0; k < axis.length; k++) axis[k]! -= shared * across[k]!;
  }
  const length = norm(axis);
  return length === 0 ? axis : axis.map((value) => value / length);
}

/** A direction that no picture is likely to be at right angles to. */
function slanted(dim: number, which: number): Float64Array {
  return Float64Array.from({ length: dim }, (_, k) => Math.cos(1 + which + k * (1 + which)));
}

function along(vector: Float32Array, mean: Float64Array, axis: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < axis.length; k++) sum += (vector[k]! - mean[k]!) * axis[k]!;
  return sum;
}

function meanOf(vectors: readonly Float32Array[], dim: number): Float64Array {
  const mean = new Float64Array(dim);
  for (const vector of vectors) for (let k = 0; k < dim; k++) mean[k]! += vector[k]! / vectors.length;
  return mean;
}

function norm(axis: Float64Array): number {
  return Math.sqrt(axis.reduce((sum, value) => sum + value * value, 0));
}
