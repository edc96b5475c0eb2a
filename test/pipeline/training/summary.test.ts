import { describe, expect, test } from 'vitest';
import { TrainingSummary } from '../../../src/pipeline/training/summary.ts';
import type { RankSums, TrainReport } from '../../../src/pipeline/training/trainer.ts';

const NONE: RankSums = { count: 0, reciprocal: 0, hits10: 0, popularityReciprocal: 0, randomReciprocal: 0 };
const ranks = (sums: Partial<RankSums>): RankSums => ({ ...NONE, ...sums });
const report = (parts: Partial<TrainReport>): TrainReport => ({
  step: 1,
  edges: 1,
  setAside: 0,
  loss: Float64Array.of(0, 0),
  edgesByRelation: Float64Array.of(0, 0),
  known: [NONE, NONE],
  fresh: [NONE, NONE],
  started: 0,
  ...parts,
});

describe('TrainingSummary', () => {
  test('means the loss over both anchors of every edge, a batch fading by a hundredth with each that follows', () => {
    const summary = new TrainingSummary(['follows', 'likes']);
    summary.add(report({ edges: 0, step: 5 }));
    expect([summary.loss, summary.known, summary.step, summary.trained]).toEqual([
      undefined,
      undefined,
      5,
      0,
    ]);
    summary.add(report({ edges: 3, loss: Float64Array.of(4, 8), edgesByRelation: Float64Array.of(1, 2) }));
    // 12 over 6 anchors
    expect(summary.loss).toBe(2);
    summary.add(
      report({ edges: 1, step: 9, loss: Float64Array.of(0, 10), edgesByRelation: Float64Array.of(0, 1) }),
    );
    // (12 × 0.99 + 10) / (6 × 0.99 + 2)
    expect(summary.loss).toBeCloseTo(21.88 / 7.94, 12);
    expect([summary.trained, summary.step]).toEqual([4, 9]);
  });

  test('means quality over all relations, and over each', () => {
    const summary = new TrainingSummary(['follows', 'likes']);
    const first = ranks({
      count: 4,
      reciprocal: 2,
      hits10: 3,
      popularityReciprocal: 1,
      randomReciprocal: 0.4,
    });
    const second = ranks({ count: 1, reciprocal: 1, hits10: 1 });
    summary.add(report({ known: [first, second], fresh: [NONE, ranks({ count: 2, reciprocal: 0.5 })] }));
    // 3 of 5, 4 of 5, 1 of 5, 0.4 of 5
    expect(summary.known).toEqual({ count: 5, mrr: 0.6, hits10: 0.8, popularityMrr: 0.2, randomMrr: 0.08 });
    expect(summary.fresh).toMatchObject({ count: 2, mrr: 0.25 });
    // A relation that was never ranked is left out.
    expect(Object.keys(summary.freshByRelation)).toEqual(['likes']);
    expect(summary.knownByRelation).toMatchObject({
      follows: { count: 4, mrr: 0.5 },
      likes: { count: 1, mrr: 1 },
    });
    summary.add(report({ known: [NONE, ranks({ count: 1 })] }));
    // likes: (1 × 0.99 + 0) / (1 × 0.99 + 1); follows keeps its mean
    expect(summary.knownByRelation['likes']?.mrr).toBeCloseTo(0.99 / 1.99, 12);
    expect(summary.knownByRelation['follows']?.mrr).toBeCloseTo(0.5, 12);
  });

  test('means the loss of each relation, and counts rows that started', () => {
    const summary = new TrainingSummary(['follows', 'likes']);
    const started = 3;
    summary.add(report({ started, loss: Float64Array.of(4, 0), edgesByRelation: Float64Array.of(1, 0) }));
    expect(summary.lossByRelation).toEqual({ follows: 2 });
    summary.add(report({ started, loss: Float64Array.of(0, 6), edgesByRelation: Float64Array.of(0, 1) }));
    expect(summary.lossByRelation).toEqual({ follows: 2, likes: 3 });
    expect(summary.started).toBe(6);
  });

  test('says how many edges a mean rests on, fewer with each batch that adds none', () => {
    const summary = new TrainingSummary(['follows', 'likes']);
    summary.add(report({ known: [ranks({ count: 3, reciprocal: 3 }), NONE] }));
    for (let i = 0; i < 100; i++) summary.add(report({ known: [NONE, ranks({ count: 16, reciprocal: 1 })] }));
    const { follows, likes } = summary.knownByRelation;
    // 3 × 0.99¹⁰⁰, of which the mean is what it was; and 16 × (1 − 0.99¹⁰⁰) / (1 − 0.99).
    expect([follows?.count, follows?.mrr, likes?.count]).toEqual([
      expect.closeTo(1.0981, 4),
      expect.closeTo(1, 12),
      expect.closeTo(1014.348, 2),
    ]);
  });
});
