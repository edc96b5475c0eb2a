import { describe, expect, it } from 'vitest';
import { Random } from '../../src/sampling/random.ts';

describe('Random', () => {
  it('gives the published sequence of xoshiro128** for the state 1, 2, 3, 4', () => {
    const random = new Random(Uint32Array.of(1, 2, 3, 4));
    // Computed with the authors' C code, outside of this project.
    const expected = [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ];
    expect(expected.map(() => random.next())).toEqual(expected);
  });

  it('gives many numbers at once as one by one, and goes on after them', () => {
    const [one, many] = [Random.seeded(9), Random.seeded(9)];
    for (const count of [0, 1, 50]) {
      const words = many.fill(new Uint32Array(count));
      expect([...words]).toEqual(Array.from(words, () => one.next()));
      const integers = many.integers(2 ** 31 - 1, new Int32Array(count));
      expect([...integers]).toEqual(Array.from(integers, () => one.below(2 ** 31 - 1)));
    }
    expect(many.state()).toEqual(one.state());
  });

  it('continues from a stored state, which later draws do not change', () => {
    const random = Random.seeded(7);
    random.next();
    const state = random.state();
    const ahead = [random.next(), random.next(), random.next()];
    const other = new Random(state);
    expect([other.next(), other.next(), other.next()]).toEqual(ahead);
    expect(new Random(state).next()).toBe(ahead[0]);
  });

  it('different seeds give different numbers, also above 32 bits', () => {
    const first = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 40].map((seed) => Random.seeded(seed).next());
    expect(new Set(first).size).toBe(first.length);
  });

  it('spreads evenly: chi-square over 10 cells, 20,000 draws, within 1 in 1,000', () => {
    const random = Random.seeded(3);
    const below = new Float64Array(10);
    const uniform = new Float64Array(10);
    for (let i = 0; i < 20_000; i++) {
      below[random.below(10)]!++;
      uniform[Math.floor(random.uniform() * 10)]!++;
    }
    const chiSquare = (cells: Float64Array) => cells.reduce((sum, n) => sum + (n - 2000) ** 2 / 2000, 0);
    // 27.88 is the .999 quantile at 9 degrees of freedom.
    expect(chiSquare(below)).toBeLessThan(27.88);
    expect(chiSquare(uniform)).toBeLessThan(27.88);
  });

  it('refuses a state of the wrong length or of zeros', () => {
    expect(() => new Random(new Uint32Array(3).fill(1))).toThrow('random state of 3 words');
    expect(() => new Random(new Uint32Array(4))).toThrow('not all zero');
  });
});
