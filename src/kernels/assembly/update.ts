import { dim, learningRate, rowAt, unitBall, vectorBytes } from './layout';
import { storePair } from './matrix';
import { dot, multiplyAdd, sumLanes } from './vector';

const EPSILON: f32 = 1e-8;
const MIN_MOVE: f32 = 1e-12;

/**
 * Row-wise Adagrad, unit ball (entities only) and drift of one row, as in `model/adagrad.ts`. A row whose gradient
 * is zero is left alone. The gradient is overwritten on the way.
 */
export function updateRow(row: i32, gradient: usize, isEntity: bool): void {
  const vector = rowAt(row);
  const square = dot(gradient, gradient, vectorBytes);
  if (square == 0) return;

  const accumulator = load<f32>(vector + vectorBytes) + square / dim;
  store<f32>(vector + vectorBytes, accumulator);
  let move = step(vector, gradient, learningRate / (sqrt<f32>(accumulator) + EPSILON));
  if (unitBall && isEntity) {
    const norm = dot(vector, vector, vectorBytes);
    if (norm > 1) move = scale(vector, gradient, <f32>1 / sqrt<f32>(norm));
  }
  const drift = load<f32>(vector + vectorBytes, 4) + max(sqrt<f32>(move), MIN_MOVE);
  store<f32>(vector + vectorBytes, drift, 4);
}

/** Moves a vector against its gradient, which is overwritten with what the vector was; returns the move's squared length. */
function step(vector: usize, gradient: usize, rate: f32): f32 {
  const rates = f32x4.splat(-rate);
  let even = f32x4.splat(0);
  let odd = even;
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const before0 = v128.load(vector + k);
    const before1 = v128.load(vector + k, 16);
    const after0 = multiplyAdd(rates, v128.load(gradient + k), before0);
    const after1 = multiplyAdd(rates, v128.load(gradient + k, 16), before1);
    storePair(vector + k, after0, after1);
    storePair(gradient + k, before0, before1);
    const move0 = f32x4.sub(after0, before0);
    const move1 = f32x4.sub(after1, before1);
    even = multiplyAdd(move0, move0, even);
    odd = multiplyAdd(move1, move1, odd);
  }
  return sumLanes(f32x4.add(even, odd));
}

/** Multiplies a vector; returns the squared length of its move from what it was before. */
function scale(vector: usize, before: usize, factor: f32): f32 {
  const factors = f32x4.splat(factor);
  let even = f32x4.splat(0);
  let odd = even;
  for (let k: usize = 0; k < vectorBytes; k += 32) {
    const after0 = f32x4.mul(factors, v128.load(vector + k));
    const after1 = f32x4.mul(factors, v128.load(vector + k, 16));
    storePair(vector + k, after0, after1);
    const move0 = f32x4.sub(after0, v128.load(before + k));
    const move1 = f32x4.sub(after1, v128.load(before + k, 16));
    even = multiplyAdd(move0, move0, even);
    odd = multiplyAdd(move1, move1, odd);
  }
  return sumLanes(f32x4.add(even, odd));
}
