import { ShapeError } from '../errors/errors.ts';

const WORDS = 4;
const WARM_UP = 16;
const TWO_32 = 4_294_967_296;

/**
 * Seeded random numbers whose state can be stored and continued: xoshiro128**, period 2^128 - 1.
 * Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators"; seeded by splitmix32.
 */
export class Random {
  readonly #state: Uint32Array;

  /**
   * Continues from a stored state.
   * @throws ShapeError unless the state is 4 words, not all zero (a zero state gives zeros for ever).
   */
  constructor(state: Uint32Array) {
    if (state.length !== WORDS || state.every((word) => word === 0)) {
      throw new ShapeError(
        `random state of ${state.length} words [${state.join(', ')}]; expected ${WORDS}, not all zero`,
      );
    }
    this.#state = Uint32Array.from(state);
  }

  /** Starts from a seed, any safe integer; no two seeds give the same state. */
  static seeded(seed: number): Random {
    const low = seed >>> 0;
    const high = Math.floor(seed / TWO_32) >>> 0;
    const random = new Random(Uint32Array.of(...splitmix(low), ...splitmix(~high)));
    // Seeds that share a half give similar first numbers; a few draws mix the halves.
    for (let i = 0; i < WARM_UP; i++) random.next();
    return random;
  }

  /** A copy of the state, for the constructor. */
  state(): Uint32Array {
    return Uint32Array.from(this.#state);
  }

  /** The next 32 bits, 0 … 2^32 - 1. */
  next(): number {
    const s = this.#state;
    const s0 = s[0]!;
    const s1 = s[1]!;
    const scrambled = Math.imul(s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const s2 = s[2]! ^ s0;
    const s3 = s[3]! ^ s1;
    s[0] = s0 ^ s3;
    s[1] = s1 ^ s2;
    s[2] = s2 ^ (s1 << 9);
    s[3] = (s3 << 11) | (s3 >>> 21);
    return result;
  }

  /** Uniform in [0, 1), in steps of 2^-32. */
  uniform(): number {
    return this.next() / TWO_32;
  }

  /** An integer uniform in 0 … n - 1, n up to 2^31. One draw, no rejection: the bias is at most n / 2^32. */
  below(n: number): number {
    return Math.floor((this.next() / TWO_32) * n);
  }
}

/** Two words from one, by splitmix32. The first word is a bijection of the seed. */
function splitmix(seed: number): [number, number] {
  return [mixed(seed + 0x9e3779b9), mixed(seed + 2 * 0x9e3779b9)];
}

function mixed(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}
