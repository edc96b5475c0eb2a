import { describe, expect, it } from 'vitest';
import {
  byVectors,
  popularity,
  type Recommender,
  recentPopularity,
} from '../../../src/evaluation/stream/recommender.ts';
import { type Split, splitStream } from '../../../src/evaluation/stream/split.ts';
import { type EntityKey, entityKey } from '../../../src/graph/entity.ts';
import { streamOf } from './stream-fixture.ts';

const stream = streamOf(
  ...['a likes 1', 'b likes 1', 'a likes 2', 'a likes 3', 'a retweets 3', 'b retweets 3', '-a likes 2'],
  ...['a likes 4', 'c likes 2'],
);
const split = splitStream(stream, 8);

/** Scores by name of candidate, as user 0 (a) in a scope. */
function scoresOf(by: Recommender, of: Split, scopeName: string, user = 0): Record<string, number> {
  const scope = of.scopes.find(({ name }) => name === scopeName)!;
  const { length } = scope.pair.candidates;
  const all = new Float64Array(2 * length).fill(-7);
  by.score([1, user], scope, all);
  const out = all.subarray(length);
  return Object.fromEntries([...out].map((score, k) => [stream.entities[scope.pair.candidates[k]!]!, score]));
}

describe('popularity', () => {
  it('counts the live edges of the scope', () => {
    const by = popularity(split);
    expect(scoresOf(by, split, 'likes')).toEqual({ 'tweet:1': 2, 'tweet:2': 0, 'tweet:3': 1, 'tweet:4': 1 });
    expect(scoresOf(by, split, 'retweets')).toEqual({
      'tweet:1': 0,
      'tweet:2': 0,
      'tweet:3': 2,
      'tweet:4': 0,
    });
    expect(scoresOf(by, split, 'user→tweet')).toEqual({
      'tweet:1': 2,
      'tweet:2': 0,
      'tweet:3': 3,
      'tweet:4': 1,
    });
  });
});

describe('recentPopularity', () => {
  it('halves the weight of an edge with every half-life of events after it', () => {
    const scores = scoresOf(recentPopularity(split, 1), split, 'likes');
    // Likes by number of the event: 1 at 0 and 1, 3 at 3, 4 at 7. The last one is the moment of comparison.
    const ofNow = scores['tweet:4']!;
    expect(scores['tweet:3']! / ofNow).toBeCloseTo(2 ** -4, 12);
    expect(scores['tweet:1']! / ofNow).toBeCloseTo(2 ** -7 + 2 ** -6, 12);
    expect(scores['tweet:2']).toBe(0);
  });
});

describe('byVectors', () => {
  const rowOfKey = (key: EntityKey) => 50 + stream.entities.indexOf(key);
  /** Score of a candidate row: the row, times ten for retweets, plus a hundred times the anchor's row. */
  const space: Parameters<typeof byVectors>[0] = {
    rowOf: rowOfKey,
    relationRow: (name) => (name === 'retweets' ? 10 : 1),
    kernel: {
      scoreMatrix: (rows, relationRows, candidates, out) => {
        rows.forEach((row, i) => {
          candidates.forEach((candidate, k) => {
            out[i * candidates.length + k] = relationRows[i]! * candidate + 100 * row;
          });
        });
      },
    },
  };
  const by = byVectors(space, stream, split);
  const rowOf = (type: string, id: string) => rowOfKey(entityKey(type, id));

  it('scores by one relation', () => {
    expect(scoresOf(by, split, 'retweets')['tweet:3']).toBe(10 * rowOf('tweet', '3') + 100 * 50);
  });

  it('weighs several relations by the edges of the user', () => {
    // a has three live likes and one retweet, b has one of each.
    const third = rowOf('tweet', '3');
    expect(scoresOf(by, split, 'user→tweet')['tweet:3']).toBeCloseTo(
      0.75 * third + 0.25 * 10 * third + 5_000,
      6,
    );
    const b = rowOf('user', 'b') - 50;
    expect(scoresOf(by, split, 'user→tweet', b)['tweet:3']).toBeCloseTo(5.5 * third + 100 * (50 + b), 6);
  });

  it('weighs them by the edges of all users, for a user without any', () => {
    const nobody = rowOf('user', 'b') - 50 + 1;
    const third = rowOf('tweet', '3');
    const row = 50 + nobody;
    // Four likes and two retweets are live.
    expect(scoresOf(by, split, 'user→tweet', nobody)['tweet:3']).toBeCloseTo(
      (4 / 6) * third + (2 / 6) * 10 * third + 100 * row,
      6,
    );
  });
});
