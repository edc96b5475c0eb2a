import type { ScorerName } from '../../model/settings.ts';
import { COEFFICIENTS, type ScanLayout } from './layout.ts';

/** Rounding error of a float32 operation, relative. */
const UNIT = 2 ** -24;
/** The largest code of a query, of 7 bits. */
const MOST_CODE = 127;
/** Queries and rows longer than this have no bound in float32, and are always scored exactly. */
export const MAX_LENGTH = 2 ** 56;

/**
 * A query in a scanner's workspace, and the float32 limits that decide which rows need an exact score. docs/adr/029 derives them.
 *
 * q is the query and v a row's vector; q̂ = offset + step · u and v̂ = scale · c are the decoded ones; ρ and r are upper bounds of
 * ‖q − q̂‖ and ‖v − v̂‖; d is the dimension, U = 2^-24. The exact score can differ from the real one by the share γ = (d + 8) · 2^-52.
 *
 *     L2:   surely lower than −X where ‖q̂ − v̂‖ > √X (1 + 2γ) + ρ + r; compared are squares, with ‖q̂‖² and ‖v̂‖² smaller by the
 *           share η = 32U (2 + √d)
 *     dot:  surely lower than X where q̂ · v̂ + (ρ + (η + γ) max(‖q‖, ‖q̂‖)) ‖v̂‖ + (1 + γ) ‖q‖ r < X
 *     L1:   surely lower than −X where Σ |q̂ − v̂| > (1 + κ) (X (1 + 2γ) + ρ + √d r + U √d ‖v̂‖), with κ = 2 (d + 8) U
 */
export class LoadedQuery {
  /** The byte address of the query. */
  readonly address: number;
  readonly #scorer: ScorerName;
  readonly #dim: number;
  readonly #coefficients: Float32Array;
  readonly #codes: Int8Array;
  readonly #floats: Float32Array;
  /** ρ */
  #lost = 0;

  constructor(
    memory: WebAssembly.Memory,
    address: number,
    layout: ScanLayout,
    model: { readonly dim: number; readonly scorer: ScorerName },
  ) {
    const { buffer } = memory;
    const { queryCodes, queryFloats } = layout;
    this.address = address;
    this.#dim = model.dim;
    this.#scorer = model.scorer;
    this.#coefficients = new Float32Array(buffer, address, COEFFICIENTS);
    this.#codes = new Int8Array(buffer, address + queryCodes, layout.codeDim);
    this.#floats = new Float32Array(buffer, address + queryFloats, layout.codeDim);
  }

  /** Writes the query to the workspace. vector: [dim]. */
  load(vector: Float64Array): void {
    if (this.#scorer === 'transe-l1') this.#loadFloats(vector);
    else this.#loadCodes(vector);
  }

  /** The limit beyond which a row surely scores lower than `score`. */
  lower(score: number): number {
    const share = this.#share;
    switch (this.#scorer) {
      case 'twhin':
        return floor32(score);
      case 'transe-l1':
        return ceil32((-score * (1 + 2 * share) + this.#lost) * (1 + this.#roundings));
      default:
        return ceil32(Math.sqrt(-score) * (1 + 2 * share) + this.#lost);
    }
  }

  /** γ */
  get #share(): number {
    return (this.#dim + 8) * 2 ** -52;
  }

  /** κ */
  get #roundings(): number {
    return 2 * (this.#dim + 8) * UNIT;
  }

  #loadFloats(vector: Float64Array): void {
    this.#floats.set(vector);
    let lost = 0;
    for (let k = 0; k < vector.length; k++) lost += Math.abs(vector[k]! - this.#floats[k]!);
    this.#lost = lost * (1 + 2 ** -40);
    const root = Math.sqrt(this.#dim) * (1 + this.#roundings);
    this.#coefficients.set([ceil32(root), ceil32(UNIT * root)], 2);
  }

  #loadCodes(vector: Float64Array): void {
    const codes = this.#codes;
    const { offset, step } = rangeOf(vector);
    let [lost, decodedSquares, squares] = [0, 0, 0];
    for (let k = 0; k < vector.length; k++) {
      const value = vector[k]!;
      const code = step > 0 ? Math.max(0, Math.min(MOST_CODE, Math.round((value - offset) / step))) : 0;
      const decoded = offset + step * code;
      codes[k] = code;
      lost += (value - decoded) ** 2;
      decodedSquares += decoded * decoded;
      squares += value * value;
    }
    const length = Math.sqrt(squares);
    const decodedLength = Math.sqrt(decodedSquares);
    // 2^-40 is more than float64 can lose here.
    this.#lost = Math.sqrt(lost) * (1 + 2 ** -40) + (length + decodedLength) * 2 ** -40;
    if (!(decodedLength <= MAX_LENGTH && length <= MAX_LENGTH)) this.#coefficients.fill(Number.NaN);
    else if (this.#scorer === 'twhin') this.#setProduct(offset, step, length, decodedLength);
    else this.#setDistance(offset, step, decodedSquares);
  }

  #setDistance(offset: number, step: number, decodedSquares: number): void {
    const slack = this.#slack;
    this.#coefficients.set([-2 * step, -2 * offset]);
    this.#coefficients.set([floor32(1 - slack), floor32(decodedSquares * (1 - slack))], 2);
  }

  #setProduct(offset: number, step: number, length: number, decodedLength: number): void {
    const perLength = this.#lost + (this.#slack + this.#share) * Math.max(length, decodedLength);
    const perResidual = length * (1 + this.#share);
    this.#coefficients.set([step, offset]);
    this.#coefficients.set([ceil32(perLength * (1 + 2 ** -18)), ceil32(perResidual * (1 + 2 ** -18))], 2);
  }

  /** η */
  get #slack(): number {
    return 32 * UNIT * (2 + Math.sqrt(this.#dim));
  }
}

/** Codes 0 … 127 from the least number to the largest: the form that relaxed dot products take alike everywhere. Both are float32. */
function rangeOf(vector: Float64Array): { readonly offset: number; readonly step: number } {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of vector) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const offset = Math.fround(low);
  return { offset, step: Math.fround((high - offset) / MOST_CODE) };
}

/** The largest finite float32. */
export const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/** A float32 below `x` by at least 2^-22 of it and 2^-146: more than a few float32 operations lose. x: any but +∞. */
export function floor32(x: number): number {
  const below = x - Math.abs(x) * 2 ** -22 - 2 ** -146;
  return below > MAX_FLOAT ? MAX_FLOAT : Math.fround(below);
}

/** A float32 above `x`, as `floor32` is below it; +∞ above the largest. x: any but −∞. */
export function ceil32(x: number): number {
  return -floor32(-x);
}
