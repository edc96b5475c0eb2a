import {
  anchors, anchorsTransposed, beta, vectorBytes, blockRowBytes, candidateNorms, candidates, candidatesTransposed,
  distances, edgeRowBytes, scorer, TRANSE_L1, TRANSE_L2, TRANSE_L2_SQUARED, TWHIN, weightRowBytes, weights,
} from './layout';
import { absoluteProduct, product, transpose } from './matrix';
import { absoluteDistance, dot, squaredDistance } from './vector';

const MIN_SQUARED_DISTANCE: f32 = 1e-8;

/** A share of |q|² + |c|² below which |q − c|² has lost too many bits to cancellation, and is summed from the differences. */
const CANCELLED: f32 = 0.01;

/** The score of two vectors in blocks; higher is better. */
export function scoreOf(a: usize, b: usize): f32 {
  if (scorer == TWHIN) return beta * dot(a, b, vectorBytes);
  if (scorer == TRANSE_L1) return -beta * absoluteDistance(a, b, vectorBytes);
  if (scorer == TRANSE_L2_SQUARED) return -beta * squaredDistance(a, b, vectorBytes);
  return -beta * distanceOf(a, b);
}

/** The L2 distance of two vectors in blocks, at least 1e-4. */
export function distanceOf(a: usize, b: usize): f32 {
  return sqrt<f32>(max(squaredDistance(a, b, vectorBytes), MIN_SQUARED_DISTANCE));
}

/** Fills `weights` for all anchors and candidates: with dot products, or with L1 distances. */
export function compareAll(edges: usize, count: usize): void {
  const rows = (edges + 3) & ~3;
  const columns = (count + 7) & ~7;
  const inner = vectorBytes >> 2;
  transpose(rows, inner, anchors, blockRowBytes, anchorsTransposed, edgeRowBytes);
  transpose(columns, inner, candidates, blockRowBytes, candidatesTransposed, weightRowBytes);
  if (scorer == TRANSE_L1) {
    absoluteProduct(
      rows, columns, inner,
      anchorsTransposed, edgeRowBytes, candidatesTransposed, weightRowBytes, weights, weightRowBytes,
    );
    return;
  }
  product(
    rows, columns, inner,
    anchorsTransposed, edgeRowBytes, candidatesTransposed, weightRowBytes, weights, weightRowBytes,
  );
  if (scorer == TWHIN) return;
  for (let j: usize = 0; j < columns; j++) {
    const c = candidates + j * blockRowBytes;
    store<f32>(candidateNorms + (j << 2), dot(c, c, vectorBytes));
  }
}

/** Turns the products or distances of an anchor into scores, in place. For L2, writes `distances`. */
export function scoreRow(anchor: usize, row: usize, count: usize): void {
  const end = ((count + 7) & ~7) << 2;
  if (scorer == TRANSE_L2) {
    scoreRowL2(anchor, row, end);
    return;
  }
  if (scorer == TRANSE_L2_SQUARED) {
    scoreRowL2Squared(anchor, row, end);
    return;
  }
  const factor = f32x4.splat(scorer == TWHIN ? beta : -beta);
  for (let j: usize = 0; j < end; j += 16) v128.store(row + j, f32x4.mul(factor, v128.load(row + j)));
}

/** −β · max(0, |q|² + |c|² − 2 q · c). Cancellation is harmless here: its error is small beside the scores that count. */
function scoreRowL2Squared(anchor: usize, row: usize, end: usize): void {
  const factor = f32x4.splat(-beta);
  const zero = f32x4.splat(0);
  const anchorNorm = f32x4.splat(dot(anchor, anchor, vectorBytes));
  for (let j: usize = 0; j < end; j += 16) {
    const norms = f32x4.add(anchorNorm, v128.load(candidateNorms + j));
    const products = v128.load(row + j);
    const squares = f32x4.sub(norms, f32x4.add(products, products));
    v128.store(row + j, f32x4.mul(factor, f32x4.pmax(zero, squares)));
  }
}

function scoreRowL2(anchor: usize, row: usize, end: usize): void {
  const factor = f32x4.splat(-beta);
  const least = f32x4.splat(MIN_SQUARED_DISTANCE);
  const anchorNorm = f32x4.splat(dot(anchor, anchor, vectorBytes));
  for (let j: usize = 0; j < end; j += 16) {
    const norms = f32x4.add(anchorNorm, v128.load(candidateNorms + j));
    const products = v128.load(row + j);
    let squares = f32x4.sub(norms, f32x4.add(products, products));
    const cancelled = f32x4.lt(squares, f32x4.mul(norms, f32x4.splat(CANCELLED)));
    if (v128.any_true(cancelled)) squares = sumDirectly(anchor, row, j, squares, cancelled);
    const distance = f32x4.sqrt(f32x4.pmax(least, squares));
    v128.store(distances + j, distance);
    v128.store(row + j, f32x4.mul(factor, distance));
  }
}

/** The squared distances, with cancelled lanes summed from the differences. `row + j` is scratch. */
function sumDirectly(anchor: usize, row: usize, j: usize, squares: v128, cancelled: v128): v128 {
  const lanes = i32x4.bitmask(cancelled);
  v128.store(row + j, squares);
  for (let lane: usize = 0; lane < 4; lane++) {
    if ((lanes >> <i32>lane) & 1) {
      const candidate = candidates + ((j >> 2) + lane) * blockRowBytes;
      store<f32>(row + j + (lane << 2), squaredDistance(anchor, candidate, vectorBytes));
    }
  }
  return v128.load(row + j);
}
