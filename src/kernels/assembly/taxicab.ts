import { signTimes, storePair } from './vector';

/**
 * L1 distances, shaped as a matrix product: C[i, j] = Σ_k |A[k, i] − B[k, j]|.
 * rows: a multiple of 4; columns: a multiple of 8; inner: any. Strides in bytes. C is overwritten.
 */
export function absoluteProduct(
  rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  for (let j: usize = 0; j < columns; j += 8) {
    for (let i: usize = 0; i < rows; i += 4) {
      absoluteTile(inner, a + (i << 2), aRow, b + (j << 2), bRow, c + i * cRow + (j << 2), cRow);
    }
  }
}

// @ts-ignore: decorator
@inline
function absoluteTile(inner: usize, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero;
  let c10 = zero, c11 = zero;
  let c20 = zero, c21 = zero;
  let c30 = zero, c31 = zero;
  for (let k: usize = 0; k < inner; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.abs(f32x4.sub(x, b0)));
    c01 = f32x4.add(c01, f32x4.abs(f32x4.sub(x, b1)));
    x = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.abs(f32x4.sub(x, b0)));
    c11 = f32x4.add(c11, f32x4.abs(f32x4.sub(x, b1)));
    x = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.abs(f32x4.sub(x, b0)));
    c21 = f32x4.add(c21, f32x4.abs(f32x4.sub(x, b1)));
    x = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.abs(f32x4.sub(x, b0)));
    c31 = f32x4.add(c31, f32x4.abs(f32x4.sub(x, b1)));
    a += aRow;
    b += bRow;
  }
  storePair(c, c00, c01);
  storePair(c + cRow, c10, c11);
  storePair(c + 2 * cRow, c20, c21);
  storePair(c + 3 * cRow, c30, c31);
}

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
