import { dim, rowAt, unitBall, vectorBytes } from './layout';
import { multiplyAdd, storePair, sumPair } from './vector';

const EPSILON: f32 = 1e-8;
const MIN_MOVE: f32 = 1e-12;

/**
 * Row-wise Adagrad, unit ball (entities only) and drift of one row, as in `model/adagrad.ts`. A row with a zero gradient
 * is not written.
 *
 * One pass sums all dot products of vector v and gradient g, which give the new length before the new vector is computed:
 * |v − rate · g|² = |v|² − 2 rate · (v · g) + rate² · |g|².
 */
export function updateRow(row: i32, gradient: usize, isEntity: bool, learningRate: f32): void {
  const vector = rowAt(row);
  const zero = f32x4.splat(0);
  let vv0 = zero, vv1 = zero;
  let vg0 = zero, vg1 = zero;
  let gg0 = zero, gg1 = zero;
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const v0 = v128.load(vector + k);
    const v1 = v128.load(vector + k, 16);
    const g0 = v128.load(gradient + k);
    const g1 = v128.load(gradient + k, 16);
    vv0 = multiplyAdd(v0, v0, vv0);
    vv1 = multiplyAdd(v1, v1, vv1);
    vg0 = multiplyAdd(v0, g0, vg0);
    vg1 = multiplyAdd(v1, g1, vg1);
    gg0 = multiplyAdd(g0, g0, gg0);
    gg1 = multiplyAdd(g1, g1, gg1);
  }
  const gg = sumPair(gg0, gg1);
  const vv = sumPair(vv0, vv1);
  const vg = sumPair(vg0, vg1);
  if (gg == 0) return;

  const accumulator = load<f32>(vector + vectorBytes) + gg / dim;
  store<f32>(vector + vectorBytes, accumulator);
  const rate = learningRate / (sqrt<f32>(accumulator) + EPSILON);
  let factor: f32 = 1;
  if (unitBall && isEntity) {
    const square = vv + rate * (rate * gg - 2 * vg);
    if (square > 1) factor = <f32>1 / sqrt<f32>(square);
  }
  const drift = load<f32>(vector + vectorBytes, 4) + max(move(vector, gradient, rate, factor), MIN_MOVE);
  store<f32>(vector + vectorBytes, drift, 4);
}

/** v = factor · (v − rate · g); returns the length of the move. */
function move(vector: usize, gradient: usize, rate: f32, factor: f32): f32 {
  const rates = f32x4.splat(-rate);
  const factors = f32x4.splat(factor);
  let moves0 = f32x4.splat(0);
  let moves1 = moves0;
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const before0 = v128.load(vector + k);
    const before1 = v128.load(vector + k, 16);
    const after0 = f32x4.mul(factors, multiplyAdd(rates, v128.load(gradient + k), before0));
    const after1 = f32x4.mul(factors, multiplyAdd(rates, v128.load(gradient + k, 16), before1));
    storePair(vector + k, after0, after1);
    const move0 = f32x4.sub(after0, before0);
    const move1 = f32x4.sub(after1, before1);
    moves0 = multiplyAdd(move0, move0, moves0);
    moves1 = multiplyAdd(move1, move1, moves1);
  }
  return sqrt<f32>(sumPair(moves0, moves1));
}
