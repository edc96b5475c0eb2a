import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIST, listFigures, listFiguresByChance, rankAll } from '../../src/evaluation/ranked-list.ts';

describe('rankAll', () => {
  it('ranks targets among all candidates that are not left out, ties half', () => {
    const scores = Float64Array.of(5, 4, 4, 3, 9, 1);
    // 9 is left out. Ahead of candidate 2 are 5 and, tied, 4: rank 2.5. Candidate 5 is the last of five.
    const { ranks, top, candidates } = rankAll(scores, Int32Array.of(2, 5), [4]);
    expect([...ranks]).toEqual([2.5, 5]);
    expect(top).toEqual([0, 1, 2, 3, 5]);
    expect(candidates).toBe(5);
  });

  it('puts a score that is no number last', () => {
    const { ranks } = rankAll(Float64Array.of(Number.NaN, 1, 2), Int32Array.of(0), []);
    expect([...ranks]).toEqual([3]);
  });

  it('agrees with sorting', () => {
    const scores = fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 3, maxLength: 60 });
    fc.assert(
      fc.property(scores, fc.nat(), (values, pick) => {
        const targets = [pick % values.length, (pick + 1) % values.length];
        const leftOut = [(pick + 2) % values.length];
        const { ranks, top } = rankAll(Float64Array.from(values), Int32Array.from(targets), leftOut);
        const left = [...values.keys()].filter((k) => !leftOut.includes(k));
        const plain = targets.map((target) => {
          const above = left.filter((k) => values[k]! > values[target]!).length;
          const equal = left.filter((k) => k !== target && values[k] === values[target]).length;
          return 1 + above + equal / 2;
        });
        expect([...ranks]).toEqual(plain);
        expect(top).toEqual(left.sort((a, b) => values[b]! - values[a]! || a - b).slice(0, LIST));
      }),
    );
  });
});

describe('listFigures', () => {
  it('gives recall at each length and NDCG, by hand', () => {
    // Ranks 1, 15 and 60: one target in ten, two in twenty and in fifty, three in a hundred.
    const [r10, r20, r50, r100, ndcg] = listFigures(Float64Array.of(1, 15, 60));
    expect([r10, r20, r50, r100]).toEqual([1 / 3, 2 / 3, 2 / 3, 1]);
    // (1/log2(2) + 1/log2(16)) / (1/log2(2) + 1/log2(3) + 1/log2(4))
    expect(ndcg).toBeCloseTo((1 + 1 / 4) / (1 + 1 / Math.log2(3) + 1 / 2), 12);
  });

  it('gives a perfect list an NDCG of 1', () => {
    expect(listFigures(Float64Array.of(1, 2, 3)).at(-1)).toBeCloseTo(1, 12);
  });
});

describe('listFiguresByChance', () => {
  it('is the mean over all orders', () => {
    // Two targets among 30 candidates: the mean over every pair of different ranks.
    const sums = listFigures(Float64Array.of(1, 2)).map(() => 0);
    for (let a = 1; a <= 30; a++) {
      for (let b = 1; b <= 30; b++) {
        if (a === b) continue;
        listFigures(Float64Array.of(a, b)).forEach((value, i) => {
          sums[i]! += value / (30 * 29);
        });
      }
    }
    listFiguresByChance(2, 30).forEach((value, i) => {
      expect(value).toBeCloseTo(sums[i]!, 10);
    });
  });
});
