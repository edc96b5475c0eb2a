import { describe, expect, it } from 'vitest';
import { ByInterests, catalogues } from '../../../src/evaluation/stream/by-interests.ts';
import { EdgeStream } from '../../../src/evaluation/stream/edge-stream.ts';
import { modelOf, type Recommender } from '../../../src/evaluation/stream/recommender.ts';
import { splitStream } from '../../../src/evaluation/stream/split.ts';
import { Random } from '../../../src/sampling/random.ts';
import { spaceOf, thing } from '../space-fixture.ts';

const THINGS = 60;
const likes = { name: 'likes', lhs: 'thing', rhs: 'thing' };
const random = Random.seeded(5);
/** Things 0 … 29 lie around one place, 30 … 59 around another. */
const vectors = Array.from({ length: THINGS }, (_, i) =>
  Array.from({ length: 4 }, (__, k) => Math.fround((k === 0 && i >= 30 ? 10 : 0) + random.uniform())),
);

/** Everybody likes somebody; 0 likes two of the first place and one of the second. */
const edges: [number, number][] = [
  ...Array.from({ length: THINGS - 1 }, (_, i): [number, number] => [i + 1, (i + 2) % THINGS]),
  [0, 12],
  [0, 40],
  [0, 17],
];
const stream = new EdgeStream([likes]);
edges.forEach(([lhs, rhs], at) => {
  stream.add([{ lhs: thing(lhs), relation: 'likes', rhs: thing(rhs), at, removed: false }]);
});
const split = splitStream(stream, edges.length);
const scope = split.scopes[0]!;
const numberOf = (i: number) => stream.find(thing(i))!;

const nobody: Recommender = { score: (_, __, out) => void out.fill(-7) };

async function ranking(user: number): Promise<number[]> {
  const space = await spaceOf('transe-l2', {
    relation: [9, 9, 9, 9],
    reverse: [0, 0, 0, 0],
    things: vectors,
  });
  const { rows } = modelOf(space, stream);
  const of = await catalogues(split, space, rows, Random.seeded(1), async () => {});
  const { length } = scope.pair.candidates;
  const scores = new Float64Array(2 * length);
  new ByInterests(of, nobody).score([numberOf(30), user], scope, scores);
  const own = scores.subarray(length);
  const things = Array.from(scope.pair.candidates, (number) =>
    Number(stream.entities[number]!.slice('thing:'.length)),
  );
  const places = things.map((name, k) => ({ name, score: own[k]! })).filter(({ score }) => score > -200);
  return places.sort((a, b) => b.score - a.score).map(({ name }) => name);
}

/** All things but those left out, the nearest first: no relation has a part in it. */
function nearestTo(to: readonly number[], leftOut: readonly number[]): number[] {
  const distance = (i: number) => Math.hypot(...vectors[i]!.map((value, k) => value - to[k]!));
  return vectors
    .map((_, i) => i)
    .filter((i) => !leftOut.includes(i))
    .sort((a, b) => distance(a) - distance(b));
}

describe('ByInterests', () => {
  it('asks a user of one target for its neighbours', async () => {
    // 3 likes 4.
    const near = nearestTo(vectors[4]!, [4]);
    expect(await ranking(numberOf(3))).toEqual(near);
  });

  it('gives each interest its share', async () => {
    const found = await ranking(numberOf(0));
    // However the two targets of the first place are clustered, they have two places of three.
    for (const beginning of [3, 6, 9])
      expect(found.slice(0, beginning).filter((thing) => thing >= 30)).toHaveLength(beginning / 3);
    expect(new Set(found).size).toBe(THINGS - 3);
  });

  it('leaves a user without a target to the other recommender', async () => {
    const scores = new Float64Array(scope.pair.candidates.length);
    new ByInterests(new Map(), nobody).score([numberOf(3)], scope, scores);
    expect(new Set(scores)).toEqual(new Set([-7]));
  });
});
