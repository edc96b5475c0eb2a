import { describe, expect, it } from 'vitest';
import {
  joinedEdges,
  scoredBy,
  scoredByChance,
  sliceFigures,
  slicesOf,
} from '../../../src/evaluation/stream/slices.ts';
import type { RankedEdges } from '../../../src/pipeline/training/trainer.ts';
import { Random } from '../../../src/sampling/random.ts';
import { rankedEdges } from './stream-fixture.ts';

/** Four edges of three users. By vectors the ranks among uniform candidates are 1, 2, 4 and 20. */
function edges(): RankedEdges {
  const row = (vectors: number, popularity: number) => [
    ...[vectors, 2 * vectors, popularity, 5],
    ...[3, 3, 10, 8, 19, 1],
  ];
  const first = rankedEdges([
    { lhs: 7, relation: 0, lhsEvents: 1, rhsEvents: 4, ranks: row(1, 2) },
    { lhs: 7, relation: 1, lhsEvents: 1, rhsEvents: 8, ranks: row(2, 4) },
  ]);
  const second = rankedEdges([
    { lhs: 8, lhsEvents: 2, rhsEvents: 9, repeated: 1, ranks: row(4, 4) },
    { lhs: 9, lhsEvents: 0, rhsEvents: 9, ranks: row(20, 1) },
  ]);
  return joinedEdges([first, second]);
}

const named = (name: string) => slicesOf(['likes', 'retweets']).find((slice) => slice.name === name)!;

describe('the edges of a stream', () => {
  it('give reciprocal ranks and hits by each way', () => {
    const { uniform, degree } = scoredBy(edges(), 'vectors');
    expect([...uniform.reciprocal]).toEqual([1, 0.5, 0.25, Math.fround(1 / 20)]);
    expect([...uniform.hit]).toEqual([1, 1, 1, 0]);
    expect([...degree.reciprocal]).toEqual([0.5, 0.25, 0.125, Math.fround(1 / 40)]);
    expect(scoredBy(edges(), 'popularity').degree.reciprocal[0]).toBe(Math.fround(1 / 5));
    expect(scoredBy(edges(), 'recent').uniform.reciprocal[3]).toBe(Math.fround(1 / 3));
    expect(scoredBy(edges(), 'start').degree.reciprocal[1]).toBe(1 / 8);
  });

  it('are ranked by chance as all places are on average', () => {
    const { uniform, degree } = scoredByChance(edges());
    // 19 candidates and the positive; one candidate and the positive.
    let harmonic = 0;
    for (let n = 1; n <= 20; n++) harmonic += 1 / n;
    expect(uniform.reciprocal[0]).toBeCloseTo(harmonic / 20, 6);
    expect(uniform.hit[0]).toBe(0.5);
    expect(degree.reciprocal[0]).toBeCloseTo(3 / 4, 6);
    expect(degree.hit[0]).toBe(1);
  });

  it('fall into groups by what was known of their ends', () => {
    const all = edges();
    const of = (name: string) => [0, 1, 2, 3].filter((i) => named(name).has(all, i));
    expect(of('both known')).toEqual([0, 1]);
    expect(of('actor new')).toEqual([3]);
    expect(of('target new')).toEqual([]);
    expect(of('repeated')).toEqual([2]);
    expect(of('both known or repeated')).toEqual([0, 1, 2]);
    expect(of('both known, retweets')).toEqual([1]);
    expect(of('actor after 1')).toEqual([0, 1]);
    expect(of('target after 8')).toEqual([1]);
  });

  it('are summed up by slice, with the lead of the first way', () => {
    const all = edges();
    const ways = { vectors: scoredBy(all, 'vectors'), popularity: scoredBy(all, 'popularity') };
    const figures = sliceFigures(all, named('both known'), ways, Random.seeded(1))!;
    expect([figures.edges, figures.users]).toEqual([2, 1]);
    // Edges 0 and 1: 1 and 1/2. By popularity 1/2 and 1/4.
    expect(figures.figures.uniform['vectors']?.mrr.mean).toBeCloseTo(0.75, 6);
    expect(figures.figures.uniform['popularity']?.mrr.mean).toBeCloseTo(0.375, 6);
    expect(Object.keys(figures.lead.uniform)).toEqual(['popularity']);
    expect(figures.lead.uniform['popularity']?.mean).toBeCloseTo(0.375, 6);
    expect(figures.figures.degree['vectors']?.hits10.mean).toBe(1);
    expect(sliceFigures(all, named('target new'), ways, Random.seeded(1))).toBeUndefined();
  });
});
