import { dim, learningRate, rowAt, unitBall, vectorBytes } from './layout';
import { sumLanes } from './vector';

const EPSILON: f32 = 1e-8;
const MIN_MOVE: f32 = 1e-12;

/**
 * Row-wise Adagrad, unit ball (entities only) and drift of one row, as in `model/adagrad.ts`. A row whose gradient
 * is zero is left alone. The gradient is overwritten with the new vector on the way.
 */
export function updateRow(row: i32, gradient: usize, isEntity: bool): void {
  const vector = rowAt(row);
  let squares = f32x4.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    const g = v128.load(gradient + k);
    squares = f32x4.add(squares, f32x4.mul(g, g));
  }
  const square = sumLanes(squares);
  if (square == 0) return;

  const accumulator = load<f32>(vector + vectorBytes) + square / dim;
  store<f32>(vector + vectorBytes, accumulator);
  const rate = f32x4.splat(learningRate / (sqrt<f32>(accumulator) + EPSILON));
  let norms = f32x4.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    const moved = f32x4.sub(v128.load(vector + k), f32x4.mul(rate, v128.load(gradient + k)));
    v128.store(gradient + k, moved);
    norms = f32x4.add(norms, f32x4.mul(moved, moved));
  }

  const norm = sqrt<f32>(sumLanes(norms));
  const scale = f32x4.splat(unitBall && isEntity && norm > 1 ? <f32>1 / norm : 1);
  let moves = f32x4.splat(0);
  for (let k: usize = 0; k < vectorBytes; k += 16) {
    const after = f32x4.mul(scale, v128.load(gradient + k));
    const move = f32x4.sub(after, v128.load(vector + k));
    moves = f32x4.add(moves, f32x4.mul(move, move));
    v128.store(vector + k, after);
  }
  const drift = load<f32>(vector + vectorBytes, 4) + max(sqrt<f32>(sumLanes(moves)), MIN_MOVE);
  store<f32>(vector + vectorBytes, drift, 4);
}
