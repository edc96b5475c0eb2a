import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LIST,
  listFigures,
  listFiguresByChance,
  rankAll,
  rankByChance,
  rankTasks,
  scopeFigures,
} from '../../../src/evaluation/stream/lists.ts';
import { popularity } from '../../../src/evaluation/stream/recommender.ts';
import { splitStream } from '../../../src/evaluation/stream/split.ts';
import { Random } from '../../../src/sampling/random.ts';
import { streamOf } from './stream-fixture.ts';

const events = Array.from({ length: 40 }, (_, i) => `u${i} likes ${i % 30}`);
/** 30 tweets: 0 … 9 liked twice, the others once. User a had 29 and goes on to 0 and 20; user b had 0 and goes on to 1. */
const stream = streamOf(...events, 'a likes 29', 'b likes 0', 'a likes 0', 'a likes 20', 'b likes 1');
const split = splitStream(stream, 42);
const scope = split.scopes[0]!;

describe('rankTasks', () => {
  it('gives the figures of each task, by hand', async () => {
    const turns: unknown[] = [];
    const quality = await rankTasks(
      split.tasks,
      popularity(split),
      async (ranked) => void turns.push(ranked),
    );
    const { figures, coverage } = quality.get('likes')!;
    // Likes: 0 has three; 1 to 9 and 29 have two; the other nineteen have one. For a, 29 is left out: 0 is first, and 20
    // is tied with the others after ten tweets: 11 to 29, in the mean 20. For b, 0 is left out: 1 is tied in 1 to 10.
    expect([...figures[0]!]).toEqual([1 / 2, 1]);
    expect([...figures[1]!]).toEqual([1, 1]);
    const ideal = 1 + 1 / Math.log2(3);
    expect(figures[4]![0]).toBeCloseTo((1 + 1 / Math.log2(21)) / ideal, 12);
    expect(figures[4]![1]).toBeCloseTo(1 / Math.log2(1 + 5.5), 12);
    // Of equal ones the first to come: a is shown 0 to 19, b 1 to 9, 29, and 10 to 19.
    expect(coverage).toBeCloseTo(21 / 30, 12);
  });

  it('lets the caller end the ranking', async () => {
    const many = Array.from({ length: 20 }, () => split.tasks[0]!);
    const ended = rankTasks(many, popularity(split), async () => {
      throw new Error('ended');
    });
    await expect(ended).rejects.toThrow('ended');
  });
});

describe('rankByChance', () => {
  it('gives what a random order gives on average', () => {
    const { figures, coverage } = rankByChance(split.tasks).get('likes')!;
    expect([...figures[0]!]).toEqual([10 / 29, 10 / 29]);
    expect([...figures[3]!]).toEqual([1, 1]);
    expect(coverage).toBeCloseTo(1 - (9 / 29) ** 2, 12);
  });
});

describe('scopeFigures', () => {
  it('puts the mean of each way and the lead of the first side by side', async () => {
    const quality = (await rankTasks(split.tasks, popularity(split), async () => undefined)).get('likes')!;
    const chance = rankByChance(split.tasks).get('likes')!;
    const asked = { scope: scope.name, candidates: 30 };
    const figures = scopeFigures(asked, { vectors: quality, chance }, Random.seeded(1));
    expect([figures.scope, figures.users, figures.candidates]).toEqual(['likes', 2, 30]);
    // By popularity: 1/2 and 1 in the first ten.
    expect(figures.ways['vectors']?.figures['recall10']?.mean).toBeCloseTo(3 / 4, 12);
    expect(figures.ways['vectors']?.coverage).toBe(quality.coverage);
    expect(figures.ways['chance']?.figures['recall10']?.mean).toBeCloseTo(10 / 29, 12);
    expect(Object.keys(figures.lead)).toEqual(['chance']);
    expect(figures.lead['chance']?.['recall10']?.mean).toBeCloseTo(3 / 4 - 10 / 29, 12);
    expect(figures.lead['chance']?.['recall10']?.low).toBeCloseTo(1 / 2 - 10 / 29, 12);
  });
});

describe('rankAll', () => {
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
