import { describe, expect, it } from 'vitest';
import type { Kernel } from '../../../../src/model/kernel.ts';
import { Evaluator, noRanks } from '../../../../src/pipeline/training/ranking/evaluator.ts';
import type { TrainerSettings } from '../../../../src/pipeline/training/trainer.ts';
import { FixedCandidates } from '../../../../src/sampling/fixed-candidates.ts';
import { KnownPositives } from '../../../../src/sampling/known-positives.ts';
import { TypeRows } from '../../../../src/sampling/type-rows.ts';
import { edgesOf, settings, triples } from '../trainer-fixture.ts';

const SCORES: Record<number, number> = { 10: 0.9, 11: 0.5, 12: 0.5, 13: 0.1, 14: 0.7 };

/** Users are rows 6 … 8, tweets 10 … 14, of which the last is untrained; the kernel scores a tweet as told, whoever asks. */
function setUp(
  overrides: Partial<TrainerSettings> = {},
  tweets: readonly number[] = [10, 11, 12, 13, 14],
  scoreOf = (row: number) => SCORES[row]!,
) {
  const asked: number[][][] = [];
  const kernel: Pick<Kernel, 'scoreMatrix'> = {
    scoreMatrix: (anchors, relationRows, candidates, out) => {
      // Asked twice: for the candidates, which are all tweets, and for the edges' own ends.
      if (candidates.length === tweets.length)
        asked.push([...anchors].map((anchor, i) => [anchor, relationRows[i]!]));
      for (let i = 0; i < out.length; i++) out[i] = scoreOf(candidates[i % candidates.length]!);
    },
  };
  const rows = new TypeRows(2, 40);
  const candidates = new FixedCandidates({ types: 2, size: 20, rows });
  for (const row of [6, 7, 8, ...tweets]) {
    rows.add(row, row < 10 ? 0 : 1);
    candidates.add(row, row < 10 ? 0 : 1);
  }
  const known = new KnownPositives({ maxRows: 40, maxEdges: 100 });
  const trained = new Uint8Array(40).fill(1, 6, tweets.at(-1));
  const evaluator = new Evaluator({
    settings: { ...settings, ...overrides },
    kernel,
    known,
    candidates,
    trained,
  });
  return { evaluator, known, asked };
}

describe('Evaluator', () => {
  it('ranks rhs among unmasked candidates, ties half, beside popularity and chance', () => {
    const { evaluator, known, asked } = setUp();
    known.add(6, 1, 10);
    known.add(7, 1, 11);
    known.add(7, 2, 13);
    known.add(8, 2, 13);
    const report = evaluator.evaluate(triples(edgesOf('6 likes 12')));
    // 10 is masked. Left are 11 (a tie), 13 (below) and 14 (above): rank 2.5 of 4.
    // In-degrees: 12 has 0 like 14, below 11's 1 and 13's 2: rank 3.5. Chance: (1 + 1/2 + 1/3 + 1/4) / 4.
    expect(report.known[1]).toEqual({
      count: 1,
      reciprocal: 1 / 2.5,
      hits10: 1,
      popularityReciprocal: 1 / 3.5,
      randomReciprocal: expect.closeTo(25 / 48, 12),
    });
    expect(report.known[0]).toEqual(noRanks());
    expect(report.fresh).toEqual([noRanks(), noRanks(), noRanks()]);
    expect(asked).toEqual([[[6, 2]]]);
  });

  it('counts a rank over 10 as no hit', () => {
    const { evaluator, known } = setUp();
    for (const tweet of [10, 11, 14]) known.add(6, 1, tweet);
    expect(evaluator.evaluate(triples(edgesOf('6 likes 13'))).known[1]).toMatchObject({
      hits10: 1,
      reciprocal: 1 / 2,
    });
    const rowsOfTweets = Array.from({ length: 12 }, (_, i) => 10 + i);
    const many = setUp({ evaluatedCandidates: 20 }, rowsOfTweets, (row) => row).evaluator;
    // Higher rows score higher: 12 stands behind nine others, 11 behind ten.
    expect(many.evaluate(triples(edgesOf('6 likes 12'))).known[1]).toMatchObject({
      hits10: 1,
      reciprocal: 1 / 10,
    });
    expect(many.evaluate(triples(edgesOf('6 likes 11'))).known[1]).toMatchObject({
      hits10: 0,
      reciprocal: 1 / 11,
    });
  });

  it('picks evenly spaced edges and passes over those already live', () => {
    const { evaluator, known, asked } = setUp({ evaluatedEdges: 3 });
    known.add(7, 1, 12);
    const edges = triples(Array.from({ length: 9 }, (_, i) => [6 + (i % 3), 1, 12] as const));
    // Picks 1, 4 and 7, the middles of three thirds: all of user 7, who is known to like tweet 12.
    evaluator.evaluate(edges);
    expect(asked).toEqual([]);
    known.remove(7, 1, 12);
    evaluator.evaluate(edges);
    expect(asked).toEqual([Array.from({ length: 3 }, () => [7, 2])]);
    asked.length = 0;
    evaluator.evaluate(triples(edgesOf('8 likes 10')));
    expect(asked).toEqual([[[8, 2]]]);
  });

  it('reports nothing where there is no other candidate, or nothing to evaluate', () => {
    const { evaluator, known } = setUp();
    for (const tweet of [10, 11, 13, 14]) known.add(6, 1, tweet);
    expect(evaluator.evaluate(triples(edgesOf('6 likes 12'))).known[1]).toEqual(noRanks());
    expect(evaluator.evaluate(triples([])).known).toEqual([noRanks(), noRanks(), noRanks()]);
  });
});
