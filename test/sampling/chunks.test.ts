import { describe, expect, it } from 'vitest';
import { cutChunks } from '../../src/sampling/chunks.ts';

// follows: user-user, likes: user-tweet, retweets: user-tweet
const relations = [
  { lhsType: 0, rhsType: 0 },
  { lhsType: 0, rhsType: 1 },
  { lhsType: 0, rhsType: 1 },
];

describe('cutChunks', () => {
  it('gathers pairs of types by first appearance, edges by arrival', () => {
    const { order, ends } = cutChunks(Int32Array.of(2, 0, 1, 0, 2), relations, 8);
    expect([...order]).toEqual([0, 2, 4, 1, 3]);
    expect(ends).toEqual([3, 5]);
  });

  it('cuts a pair evenly, none over the limit', () => {
    const { order, ends } = cutChunks(new Int32Array(65), relations, 64);
    expect(ends).toEqual([33, 65]);
    expect([...order]).toEqual(Array.from({ length: 65 }, (_, i) => i));
    expect(cutChunks(new Int32Array(64), relations, 64).ends).toEqual([64]);
    expect(cutChunks(new Int32Array(0), relations, 64).ends).toEqual([]);
    expect(cutChunks(new Int32Array(7), relations, 3).ends).toEqual([3, 5, 7]);
  });

  it('refuses a relation that is none', () => {
    expect(() => cutChunks(Int32Array.of(0, 3), relations, 8)).toThrow('edge 1 has relation 3; there are 3');
  });
});
