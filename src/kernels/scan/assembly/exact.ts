/** Exact scores: in float64, the numbers of a vector added one after the other, as plain TypeScript does. */
import { foundRows, foundScores, L1, scorer, PRODUCT, vectorBytes, vectorOf } from './layout';

const CACHE_LINE: usize = 64;

/** Rows brought into the cache at a time, before they are scored. */
const TOUCHED: i32 = 16;

/**
 * Writes the scores of the first `count` of `foundRows` to `foundScores`. Room for three rows more is needed, since four are
 * scored side by side. query: a vector in float64.
 */
export function scoreFound(count: i32, query: usize): void {
  if (count == 0) return;
  const last = load<i32>(foundRows + (<usize>(count - 1) << 2));
  for (let i = count; (i & 3) != 0; i++) store<i32>(foundRows + (<usize>i << 2), last);
  for (let i = 0; i < count; i += 4) {
    if (i % TOUCHED == 0) touch(i, min(i + TOUCHED, count));
    scoreFour(foundRows + (<usize>i << 2), query, foundScores + (<usize>i << 3));
  }
}

/** Only reads: such a loop has many cache lines in flight, where one that computes waits for a few. See `touchRows`. */
function touch(from: i32, until: i32): void {
  for (let i = from; i < until; i++) {
    const vector = vectorOf(load<i32>(foundRows + (<usize>i << 2)));
    for (let k: usize = 0; k < vectorBytes; k += CACHE_LINE) load<i32>(vector + k);
  }
}

/** Each lane is one row's own sum: the four sums advance together and each in the order of the numbers. */
function scoreFour(rows: usize, query: usize, out: usize): void {
  const a = vectorOf(load<i32>(rows));
  const b = vectorOf(load<i32>(rows, 4));
  const c = vectorOf(load<i32>(rows, 8));
  const d = vectorOf(load<i32>(rows, 12));
  let ab = f64x2.splat(0);
  let cd = f64x2.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    const a4 = v128.load(a + k);
    const b4 = v128.load(b + k);
    const c4 = v128.load(c + k);
    const d4 = v128.load(d + k);
    const ab01 = v128.shuffle<f32>(a4, b4, 0, 4, 1, 5);
    const ab23 = v128.shuffle<f32>(a4, b4, 2, 6, 3, 7);
    const cd01 = v128.shuffle<f32>(c4, d4, 0, 4, 1, 5);
    const cd23 = v128.shuffle<f32>(c4, d4, 2, 6, 3, 7);
    const x = query + (k << 1);
    const x0 = v128.load64_splat(x);
    const x1 = v128.load64_splat(x, 8);
    const x2 = v128.load64_splat(x, 16);
    const x3 = v128.load64_splat(x, 24);
    ab = f64x2.add(ab, term(x0, f64x2.promote_low_f32x4(ab01)));
    cd = f64x2.add(cd, term(x0, f64x2.promote_low_f32x4(cd01)));
    ab = f64x2.add(ab, term(x1, f64x2.promote_low_f32x4(upper(ab01))));
    cd = f64x2.add(cd, term(x1, f64x2.promote_low_f32x4(upper(cd01))));
    ab = f64x2.add(ab, term(x2, f64x2.promote_low_f32x4(ab23)));
    cd = f64x2.add(cd, term(x2, f64x2.promote_low_f32x4(cd23)));
    ab = f64x2.add(ab, term(x3, f64x2.promote_low_f32x4(upper(ab23))));
    cd = f64x2.add(cd, term(x3, f64x2.promote_low_f32x4(upper(cd23))));
  }
  // The padding adds zeros, which change no sum.
  v128.store(out, scorer == PRODUCT ? ab : f64x2.neg(ab));
  v128.store(out, scorer == PRODUCT ? cd : f64x2.neg(cd), 16);
}

/** What one number of the query, and of each row, adds to the sum. */
// @ts-ignore: decorator
@inline
function term(x: v128, y: v128): v128 {
  if (scorer == PRODUCT) return f64x2.mul(x, y);
  const difference = f64x2.sub(x, y);
  return scorer == L1 ? f64x2.abs(difference) : f64x2.mul(difference, difference);
}

/** The upper half of a vector, twice. */
// @ts-ignore: decorator
@inline
export function upper(v: v128): v128 {
  return v128.shuffle<i64>(v, v, 1, 1);
}
