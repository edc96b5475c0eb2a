import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commonNeighbours } from '../../../src/evaluation/stream/common-neighbours.ts';
import type { Recommender } from '../../../src/evaluation/stream/recommender.ts';
import { type Scope, splitStream } from '../../../src/evaluation/stream/split.ts';
import { entityKey } from '../../../src/graph/entity.ts';
import { Random } from '../../../src/sampling/random.ts';
import { streamOf } from './stream-fixture.ts';

/** The same by the plain formula: cosines of whole columns, one pair of items after the other. */
function plainScores(scope: Scope, user: number): number[] {
  const { live, candidates } = scope.pair;
  const usersOf = (item: number) =>
    new Set(
      [...live.lhs].filter((_, i) => live.item[i] === item && scope.relations.includes(live.relation[i]!)),
    );
  const own = [...candidates.keys()].filter((item) => usersOf(item).has(user));
  return [...candidates.keys()].map((candidate) => {
    const theirs = usersOf(candidate);
    return own.reduce((sum, item) => {
      const users = usersOf(item);
      const both = [...users].filter((each) => theirs.has(each)).length;
      return both === 0 ? sum : sum + both / Math.sqrt(users.size * theirs.size);
    }, 0);
  });
}

function scoresOf(by: Recommender, scope: Scope, user: number): number[] {
  const out = new Float64Array(scope.pair.candidates.length);
  by.score([user], scope, out);
  return [...out];
}

describe('commonNeighbours', () => {
  it('agrees with the plain formula where no list is longer than the limit', () => {
    const event = fc.tuple(fc.nat(5), fc.constantFrom('likes', 'retweets'), fc.nat(5));
    fc.assert(
      fc.property(fc.array(event, { minLength: 2, maxLength: 40 }), (events) => {
        const stream = streamOf(...events.map(([user, relation, item]) => `u${user} ${relation} ${item}`));
        const split = splitStream(stream, stream.length);
        const by = commonNeighbours(split, Random.seeded(1));
        for (const scope of split.scopes) {
          for (let user = 0; user < stream.entities.length; user++) {
            const plain = plainScores(scope, user);
            scoresOf(by, scope, user).forEach((score, k) => {
              expect(score).toBeCloseTo(plain[k]!, 9);
            });
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('scales a sampled list up: over many samples the scores are the plain ones', () => {
    const events = Array.from({ length: 40 }, (_, i) => [
      `u${i} likes 1`,
      `u${i} likes ${i % 2 === 0 ? 2 : 3}`,
    ]);
    const stream = streamOf('a likes 1', ...events.flat());
    const split = splitStream(stream, stream.length);
    const user = stream.find(entityKey('user', 'a'))!;
    const plain = plainScores(split.scopes[0]!, user);
    const means = plain.map(() => 0);
    for (let seed = 0; seed < 400; seed++) {
      const scores = scoresOf(commonNeighbours(split, Random.seeded(seed), 8), split.scopes[0]!, user);
      scores.forEach((score, k) => {
        means[k]! += score / 400;
      });
    }
    expect(means[1]! / plain[1]!).toBeCloseTo(1, 1);
    expect(means[2]! / plain[2]!).toBeCloseTo(1, 1);
  });
});
