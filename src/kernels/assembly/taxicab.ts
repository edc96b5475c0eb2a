import { signTimes, storePair } from './vector';

/**
 * L1 gradients: C[i, j] = Σ_k W(i, k) · sign(Y[k, j] − X[i, j]), which pull each row of X toward the rows of Y.
 * W(i, k) is at `w + i · wRow + k · wStep`. rows: any; columns: a multiple of 8; X, Y and C have the same stride.
 */
export function signProduct(
  rows: usize, columns: usize, inner: usize,
  w: usize, wRow: usize, wStep: usize,
  x: usize, y: usize, c: usize, stride: usize,
): void {
  for (let j: usize = 0; j < columns << 2; j += 32) {
    for (let i: usize = 0; i < rows; i++) {
      const from = x + i * stride + j;
      const x0 = v128.load(from);
      const x1 = v128.load(from, 16);
      let c0 = f32x4.splat(0);
      let c1 = c0;
      let weight = w + i * wRow;
      let toward = y + j;
      for (let k: usize = 0; k < inner; k++) {
        const pull = v128.load32_splat(weight);
        c0 = f32x4.add(c0, signTimes(pull, f32x4.sub(v128.load(toward), x0)));
        c1 = f32x4.add(c1, signTimes(pull, f32x4.sub(v128.load(toward, 16), x1)));
        weight += wStep;
        toward += stride;
      }
      storePair(c + i * stride + j, c0, c1);
    }
  }
}
