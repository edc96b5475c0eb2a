import { ShapeError } from '../errors/errors.ts';

const WORDS = 4;
const WARM_UP = 16;
/** The number of different words. */
export const TWO_32 = 4_294_967_296;

/**
 * Seeded random numbers whose state can be stored and continued: xoshiro128**, period 2^128 - 1.
 * Source: Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators"; seeded by splitmix32.
 */
export class Random {
  readonly #state: Uint32Array;
  readonly #next = new Uint32Array(1);

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
    return this.fill(this.#next)[0]!;
  }

  /** Overwrites all of `words` with the next 32 bits each. The state is in registers meanwhile. */
  fill(words: Uint32Array): Uint32Array {
    const s = this.#state;
    let [s0, s1, s2, s3] = [s[0]! | 0, s[1]! | 0, s[2]! | 0, s[3]! | 0];
    for (let i = 0; i < words.length; i++) {
      const scrambled = Math.imul(s1, 5);
      words[i] = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
      s2 ^= s0;
      s3 ^= s1;
      const shifted = s1 << 9;
      s1 ^= s2;
      s0 ^= s3;
      s2 ^= shifted;
      s3 = (s3 << 11) | (s3 >>> 21);
    }
    [s[0], s[1], s[2], s[3]] = [s0, s1, s2, s3];
    return words;
  }

  /** Uniform in [0, 1), in steps of 2^-32. */
  uniform(): number {
    return this.next() / TWO_32;
  }

  /** An integer uniform in 0 … n - 1, n up to 2^31. One draw, no rejection: the bias is at most n / 2^32. */
  below(n: number): number {
    return Math.floor((this.next() / TWO_32) * n);
  }

  /** Overwrites all of `out` with integers, each as `below` gives it. */
  integers(n: number, out: Int32Array): Int32Array {
    const words = this.fill(new Uint32Array(out.buffer, out.byteOffset, out.length));
    for (let i = 0; i < words.length; i++) out[i] = Math.floor((words[i]! / TWO_32) * n);
    return out;
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
