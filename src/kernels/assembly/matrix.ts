/**
 * C[i, j] = Σ_k A(i, k) · B[k, j]. A(i, k) lies at `a + i · aRow + k · aStep`, so that A can be read on its side.
 * rows: a multiple of 4; columns: of 8; inner: any. Strides in bytes. C is overwritten.
 *
 * Tiles of 4 rows by 8 columns keep their sums in 8 registers; 6 rows, or unrolling over k, were 15–30 % slower in
 * V8, which runs out of registers.
 */
export function product(
  rows: usize, columns: usize, inner: usize,
  a: usize, aRow: usize, aStep: usize,
  b: usize, bRow: usize,
  c: usize, cRow: usize,
): void {
  for (let j: usize = 0; j < columns; j += 8) {
    for (let i: usize = 0; i < rows; i += 4) {
      productTile(inner, a + i * aRow, aRow, aStep, b + (j << 2), bRow, c + i * cRow + (j << 2), cRow);
    }
  }
}

// @ts-ignore: decorator
@inline
function productTile(
  inner: usize, a0: usize, aRow: usize, aStep: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  let a1 = a0 + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  let c00 = f32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  for (let k: usize = 0; k < inner; k++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    c00 = f32x4.add(c00, f32x4.mul(x, b0));
    c01 = f32x4.add(c01, f32x4.mul(x, b1));
    x = v128.load32_splat(a1);
    c10 = f32x4.add(c10, f32x4.mul(x, b0));
    c11 = f32x4.add(c11, f32x4.mul(x, b1));
    x = v128.load32_splat(a2);
    c20 = f32x4.add(c20, f32x4.mul(x, b0));
    c21 = f32x4.add(c21, f32x4.mul(x, b1));
    x = v128.load32_splat(a3);
    c30 = f32x4.add(c30, f32x4.mul(x, b0));
    c31 = f32x4.add(c31, f32x4.mul(x, b1));
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
    b += bRow;
  }
  storeTile(c, cRow, c00, c01, c10, c11, c20, c21, c30, c31);
}

/** Writes a tile of 4 rows by 8 columns. */
// @ts-ignore: decorator
@inline
export function storeTile(
  c: usize, cRow: usize,
  c00: v128, c01: v128, c10: v128, c11: v128, c20: v128, c21: v128, c30: v128, c31: v128,
): void {
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c + cRow, c10);
  v128.store(c + cRow, c11, 16);
  v128.store(c + 2 * cRow, c20);
  v128.store(c + 2 * cRow, c21, 16);
  v128.store(c + 3 * cRow, c30);
  v128.store(c + 3 * cRow, c31, 16);
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
