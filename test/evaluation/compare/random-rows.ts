import { Random } from '../../../src/sampling/random.ts';

/** Numbers uniform in ±1. */
export function randomRows(count: number, seed: number): Float32Array {
  const random = Random.seeded(seed);
  return Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
}

/** An orthogonal matrix, [dim, dim] row-major: a product of rotations, each in a plane of two axes. */
export function turns(dim: number, seed: number): Float64Array {
  const random = Random.seeded(seed);
  const matrix = new Float64Array(dim * dim);
  for (let i = 0; i < dim; i++) matrix[i * dim + i] = 1;
  for (let turn = 0; turn < 4 * dim; turn++) {
    const i = random.below(dim);
    const j = (i + 1 + random.below(dim - 1)) % dim;
    const angle = 2 * Math.PI * random.uniform();
    for (let row = 0; row < dim; row++) {
      const [x, y] = [matrix[row * dim + i]!, matrix[row * dim + j]!];
      matrix[row * dim + i] = x * Math.cos(angle) - y * Math.sin(angle);
      matrix[row * dim + j] = x * Math.sin(angle) + y * Math.cos(angle);
    }
  }
  return matrix;
}

/** Each row times the matrix. */
export function turned(rows: Float32Array, matrix: Float64Array, dim: number): Float32Array {
  return rows.map((_, at) => {
    const start = at - (at % dim);
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += rows[start + k]! * matrix[k * dim + (at % dim)]!;
    return sum;
  });
}
