import { describe, expect, it, test } from 'vitest';
import { cutChunks, rehearse } from '../../src/sampling/batch.ts';
import { KnownPositives } from '../../src/sampling/known-positives.ts';
import { Random } from '../../src/sampling/random.ts';

const fresh = { lhs: Int32Array.of(1, 2), relation: Int32Array.of(0, 1), rhs: Int32Array.of(3, 4) };

function known() {
  const positives = new KnownPositives({ maxRows: 10, maxEdges: 10 });
  positives.add(1, 0, 3);
  positives.add(2, 1, 4);
  positives.add(7, 0, 8);
  return positives;
}

// The new edges are 1-3 and 2-4; d is a drawn edge.
test.each([
  [{ updatesPerEdge: 3 }, { every: 3, firstRound: 6 }, '1dd2dd'],
  [{ updatesPerEdge: 4, ownUpdates: 2 }, { every: 2, firstRound: 4 }, '1d2d 1d2d'],
  [{ updatesPerEdge: 5, ownUpdates: 2 }, { every: 2, firstRound: 4 }, '1d2d 1dd2dd'],
  [{ updatesPerEdge: 4, ownUpdates: 3 }, { every: 1, firstRound: 2 }, '12 12 1d2d'],
  [{ updatesPerEdge: 2, ownUpdates: 2 }, { every: 1, firstRound: 2 }, '12 12'],
])('of %j, every round has each new edge and its share of drawn ones', (updates, places, rounds) => {
  const { edges, ...rest } = rehearse(fresh, known(), updates, Random.seeded(1));
  expect(rest).toEqual(places);
  const twin = known();
  const random = Random.seeded(1);
  const expected = Array.from(rounds.replaceAll(' ', ''), (letter) => {
    if (letter === '1') return [1, 0, 3];
    if (letter === '2') return [2, 1, 4];
    const { lhs, relation, rhs } = twin.draw(1, random);
    return [lhs[0], relation[0], rhs[0]];
  });
  expect(Array.from(edges.lhs, (lhs, i) => [lhs, edges.relation[i], edges.rhs[i]])).toEqual(expected);
});

test('draws nothing for one update per edge, or without remembered edges', () => {
  const random = Random.seeded(1);
  const before = random.state();
  const once = { edges: fresh, every: 1, firstRound: 2 };
  expect(rehearse(fresh, known(), { updatesPerEdge: 1 }, random)).toEqual(once);
  const forgetful = new KnownPositives({ maxRows: 10, maxEdges: 0 });
  expect(rehearse(fresh, forgetful, { updatesPerEdge: 4 }, random)).toEqual(once);
  const twice = rehearse(fresh, forgetful, { updatesPerEdge: 4, ownUpdates: 2 }, random);
  expect([...twice.edges.lhs]).toEqual([1, 2, 1, 2]);
  expect(random.state()).toEqual(before);
});

test('rehearses no edge that cannot be trained yet; the new edge stands in where only such are drawn', () => {
  for (let seed = 0; seed < 20; seed++) {
    const [many, one] = [Random.seeded(seed), Random.seeded(seed)];
    const trainable = (lhs: number, rhs: number) => lhs === 7 && rhs === 8;
    const { edges } = rehearse(fresh, known(), { updatesPerEdge: 8 }, many, trainable);
    const drawn = () => Array.from({ length: 8 }).some(() => known().draw(1, one).lhs[0] === 7);
    const expected = [1, 2].map((lhs) => [lhs, ...Array.from({ length: 7 }, () => (drawn() ? 7 : lhs))]);
    expect([...edges.lhs]).toEqual(expected.flat());
  }
  const { edges } = rehearse(fresh, known(), { updatesPerEdge: 3 }, Random.seeded(1), () => false);
  expect([[...edges.lhs], [...edges.relation], [...edges.rhs]]).toEqual([
    [1, 1, 1, 2, 2, 2],
    [0, 0, 0, 1, 1, 1],
    [3, 3, 3, 4, 4, 4],
  ]);
});

// follows: user-user, likes: user-tweet, retweets: user-tweet
const relations = [
  { lhsType: 0, rhsType: 0 },
  { lhsType: 0, rhsType: 1 },
  { lhsType: 0, rhsType: 1 },
];

describe('cutChunks', () => {
  it('orders pairs of types by first appearance, edges by arrival', () => {
    const { order, ends } = cutChunks(Int32Array.of(2, 0, 1, 0, 2), relations, 8);
    expect([...order]).toEqual([0, 2, 4, 1, 3]);
    expect(ends).toEqual([3, 5]);
  });

  it('cuts a pair into even chunks within the limit', () => {
    const { order, ends } = cutChunks(new Int32Array(65), relations, 64);
    expect(ends).toEqual([33, 65]);
    expect([...order]).toEqual(Array.from({ length: 65 }, (_, i) => i));
    expect(cutChunks(new Int32Array(64), relations, 64).ends).toEqual([64]);
    expect(cutChunks(new Int32Array(0), relations, 64).ends).toEqual([]);
    expect(cutChunks(new Int32Array(7), relations, 3).ends).toEqual([3, 5, 7]);
  });

  it('refuses an unknown relation', () => {
    expect(() => cutChunks(Int32Array.of(0, 3), relations, 8)).toThrow('edge 1 has relation 3; there are 3');
  });
});
