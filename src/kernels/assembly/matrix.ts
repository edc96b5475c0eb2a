import { wide } from './layout';
import { multiplyAdd, storePair } from './vector';

/**
 * C[i, j] = Σ_k A[k, i] · B[k, j]. k counts the rows of both factors, so that a tile reads each factor through one
 * address. rows: a multiple of 4; columns: a multiple of 8; inner: any. Strides in bytes. C is overwritten. The last wide tile
 * of a row can end in the row's spare floats.
 *
 * The relaxed build uses tiles of 6 rows, and tiles of 4 rows for the rest: 12 sums hide the latency of the fused
 * multiply-add, and with their operands fill the 15 registers of V8. Tiles of 4 alone, with 8 sums, were slower. The
 * plain build needs one more register for each product, so it uses tiles of 4 alone, in two thirds of the time. Both
 * builds sum over k in the same order. Unrolling over k was slower in V8.
 *
 * A sum is a vector of 4 columns, or a pair of them that V8 keeps in one register of 256 bits: tiles have 8 columns, and 16
 * where the kernel is wide.
 */
export function product(
  rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  if (wide) multiply(16, rows, columns, inner, a, aRow, b, bRow, c, cRow);
  else multiply(8, rows, columns, inner, a, aRow, b, bRow, c, cRow);
}

/** L1 distances, shaped as a matrix product: C[i, j] = Σ_k |A[k, i] − B[k, j]|; else as {@link product}. */
export function absoluteProduct(
  rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  for (let j: usize = 0; j < columns; j += 8) {
    for (let i: usize = 0; i < rows; i += 4) {
      tile(true, 4, 8, inner, a + (i << 2), aRow, b + (j << 2), bRow, c + i * cRow + (j << 2), cRow);
    }
  }
}

// @ts-ignore: decorator
@inline
function multiply(
  width: usize, rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  for (let j: usize = 0; j < columns; j += width) {
    const bAt = b + (j << 2);
    let i: usize = 0;
    for (; (rows - i) % 6 != 0 || (!ASC_FEATURE_RELAXED_SIMD && i < rows); i += 4) {
      tile(false, 4, width, inner, a + (i << 2), aRow, bAt, bRow, c + i * cRow + (j << 2), cRow);
    }
    for (; i < rows; i += 6) {
      tile(false, 6, width, inner, a + (i << 2), aRow, bAt, bRow, c + i * cRow + (j << 2), cRow);
    }
  }
}

/** A tile of products or distances. The first three arguments are constants: the compiler leaves out what other tiles have. */
// @ts-ignore: decorator
@inline
function tile(
  distances: bool, height: usize, width: usize, inner: usize,
  a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  const zero = f32x4.splat(0);
  let c00 = zero, c01 = zero, c02 = zero, c03 = zero;
  let c10 = zero, c11 = zero, c12 = zero, c13 = zero;
  let c20 = zero, c21 = zero, c22 = zero, c23 = zero;
  let c30 = zero, c31 = zero, c32 = zero, c33 = zero;
  let c40 = zero, c41 = zero, c42 = zero, c43 = zero;
  let c50 = zero, c51 = zero, c52 = zero, c53 = zero;
  for (let k: usize = 0; k < inner; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = width == 16 ? v128.load(b, 32) : zero;
    const b3 = width == 16 ? v128.load(b, 48) : zero;
    let x = v128.load32_splat(a);
    c00 = add(distances, x, b0, c00);
    c01 = add(distances, x, b1, c01);
    if (width == 16) c02 = add(distances, x, b2, c02);
    if (width == 16) c03 = add(distances, x, b3, c03);
    x = v128.load32_splat(a, 4);
    c10 = add(distances, x, b0, c10);
    c11 = add(distances, x, b1, c11);
    if (width == 16) c12 = add(distances, x, b2, c12);
    if (width == 16) c13 = add(distances, x, b3, c13);
    x = v128.load32_splat(a, 8);
    c20 = add(distances, x, b0, c20);
    c21 = add(distances, x, b1, c21);
    if (width == 16) c22 = add(distances, x, b2, c22);
    if (width == 16) c23 = add(distances, x, b3, c23);
    x = v128.load32_splat(a, 12);
    c30 = add(distances, x, b0, c30);
    c31 = add(distances, x, b1, c31);
    if (width == 16) c32 = add(distances, x, b2, c32);
    if (width == 16) c33 = add(distances, x, b3, c33);
    if (height == 6) {
      x = v128.load32_splat(a, 16);
      c40 = add(distances, x, b0, c40);
      c41 = add(distances, x, b1, c41);
      if (width == 16) c42 = add(distances, x, b2, c42);
      if (width == 16) c43 = add(distances, x, b3, c43);
      x = v128.load32_splat(a, 20);
      c50 = add(distances, x, b0, c50);
      c51 = add(distances, x, b1, c51);
      if (width == 16) c52 = add(distances, x, b2, c52);
      if (width == 16) c53 = add(distances, x, b3, c53);
    }
    a += aRow;
    b += bRow;
  }
  storeRow(width, c, c00, c01, c02, c03);
  storeRow(width, c + cRow, c10, c11, c12, c13);
  storeRow(width, c + 2 * cRow, c20, c21, c22, c23);
  storeRow(width, c + 3 * cRow, c30, c31, c32, c33);
  if (height == 6) storeRow(width, c + 4 * cRow, c40, c41, c42, c43);
  if (height == 6) storeRow(width, c + 5 * cRow, c50, c51, c52, c53);
}

/** sum + x · y, or sum + |x − y|. */
// @ts-ignore: decorator
@inline
function add(distances: bool, x: v128, y: v128, sum: v128): v128 {
  return distances ? f32x4.add(sum, f32x4.abs(f32x4.sub(x, y))) : multiplyAdd(x, y, sum);
}

/** Stores 8 or 16 columns of a row. */
// @ts-ignore: decorator
@inline
function storeRow(width: usize, c: usize, c0: v128, c1: v128, c2: v128, c3: v128): void {
  storePair(c, c0, c1);
  if (width == 16) storePair(c + 32, c2, c3);
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
