/** Adding this and taking it away rounds a small number to an integer, several times faster than Math.round with limits. */
const ROUND = 1.5 * 2 ** 52;

/** What is summed over the numbers of a vector. */
export interface CodeSums {
  readonly sum: number;
  readonly squares: number;
  /** The squares of what the codes lose of the vector. */
  readonly lost: number;
}

/**
 * The codes of a vector, and their sums: the plain form of `encode` in `assembly/encode.ts`, which gives the same bits. `lost`
 * is that of four sums, of every fourth number each, as SIMD adds them.
 * codes: [dim], overwritten; perUnit: 1 / scale, or 0 where scale is 0.
 */
export function encodePlainly(
  vector: Float32Array,
  codes: Int8Array,
  scale: number,
  perUnit: number,
): CodeSums {
  let [sum, squares] = [0, 0];
  const lost: [number, number, number, number] = [0, 0, 0, 0];
  for (const [k, value] of vector.entries()) {
    const code = value * perUnit + ROUND - ROUND;
    const difference = value - scale * code;
    codes[k] = code;
    sum += code;
    squares += code * code;
    lost[k & 3]! += difference * difference;
  }
  return { sum, squares, lost: lost[0] + lost[2] + (lost[1] + lost[3]) };
}
