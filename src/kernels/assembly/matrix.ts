import { multiplyAdd } from './vector';

/**
 * C[i, j] = Σ_k A[k, i] · B[k, j]. k counts the rows of both factors, so that a tile reads each factor through one
 * address. rows: a multiple of 4; columns: a multiple of 8; inner: any. Strides in bytes. C is overwritten.
 *
 * The relaxed build uses tiles of 6 rows by 8 columns, and tiles of 4 rows for the rest: 12 sums hide the latency of the
 * fused multiply-add, and with their operands fill the 15 registers of V8. Tiles of 4 alone, with 8 sums, were slower. The
 * plain build needs one more register for each product, so it uses tiles of 4 alone, in two thirds of the time. Both
 * builds sum over k in the same order. Unrolling over k was slower in V8.
 */
export function product(
  rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  for (let j: usize = 0; j < columns; j += 8) {
    const bAt = b + (j << 2);
    let i: usize = 0;
    for (; (rows - i) % 6 != 0 || (!ASC_FEATURE_RELAXED_SIMD && i < rows); i += 4) {
      tileOf4(inner, a + (i << 2), aRow, bAt, bRow, c + i * cRow + (j << 2), cRow);
    }
    for (; i < rows; i += 6) {
      tileOf6(inner, a + (i << 2), aRow, bAt, bRow, c + i * cRow + (j << 2), cRow);
    }
  }
}

// @ts-ignore: decorator
@inline
function tileOf6(inner: usize, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero;
  let c10 = zero, c11 = zero;
  let c20 = zero, c21 = zero;
  let c30 = zero, c31 = zero;
  let c40 = zero, c41 = zero;
  let c50 = zero, c51 = zero;
  for (let k: usize = 0; k < inner; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    x = v128.load32_splat(a, 16);
    c40 = multiplyAdd(x, b0, c40);
    c41 = multiplyAdd(x, b1, c41);
    x = v128.load32_splat(a, 20);
    c50 = multiplyAdd(x, b0, c50);
    c51 = multiplyAdd(x, b1, c51);
    a += aRow;
    b += bRow;
  }
  storePair(c, c00, c01);
  storePair(c + cRow, c10, c11);
  storePair(c + 2 * cRow, c20, c21);
  storePair(c + 3 * cRow, c30, c31);
  storePair(c + 4 * cRow, c40, c41);
  storePair(c + 5 * cRow, c50, c51);
}

// @ts-ignore: decorator
@inline
function tileOf4(inner: usize, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero;
  let c10 = zero, c11 = zero;
  let c20 = zero, c21 = zero;
  let c30 = zero, c31 = zero;
  for (let k: usize = 0; k < inner; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load32_splat(a, 4);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load32_splat(a, 8);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load32_splat(a, 12);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    a += aRow;
    b += bRow;
  }
  storePair(c, c00, c01);
  storePair(c + cRow, c10, c11);
  storePair(c + 2 * cRow, c20, c21);
  storePair(c + 3 * cRow, c30, c31);
}

/** Stores 8 columns of a row. */
// @ts-ignore: decorator
@inline
export function storePair(c: usize, left: v128, right: v128): void {
  v128.store(c, left);
  v128.store(c, right, 16);
}

/** T[j, i] = A[i, j]. rows, columns: multiples of 4; strides in bytes. */
export function transpose(
  rows: usize, columns: usize, a: usize, aRow: usize, t: usize, tRow: usize,
): void {
  for (let i: usize = 0; i < rows; i += 4) {
    for (let j: usize = 0; j < columns; j += 4) {
      const from = a + i * aRow + (j << 2);
      const a0 = v128.load(from);
      const a1 = v128.load(from + aRow);
      const a2 = v128.load(from + 2 * aRow);
      const a3 = v128.load(from + 3 * aRow);
      const low01 = v128.shuffle<f32>(a0, a1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(a0, a1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(a2, a3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(a2, a3, 2, 6, 3, 7);
      const to = t + j * tRow + (i << 2);
      v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(to + tRow, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      v128.store(to + 2 * tRow, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      v128.store(to + 3 * tRow, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
    }
  }
}
