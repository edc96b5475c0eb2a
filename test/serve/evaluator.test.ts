import { describe, expect, it } from 'vitest';
import { readSpace, type Space } from '../../src/evaluation/space.ts';
import { byVectors } from '../../src/evaluation/stream/recommender.ts';
import { splitStream } from '../../src/evaluation/stream/split.ts';
import type { EntityKey } from '../../src/graph/entity.ts';
import type { ScorerName } from '../../src/model/settings.ts';
import { Random } from '../../src/sampling/random.ts';
import { storeOf } from '../evaluation/compare/fixture.ts';
import { changeOf, relations, streamOf } from '../evaluation/stream/stream-fixture.ts';
import { graphOf, surfacesOf, type TestGraph, tweet, user } from './serve-fixture.ts';

const ALL: readonly ScorerName[] = ['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'];
const DIM = 8;
const USERS = ['a', 'b', 'c', 'd'];
const TWEETS = 120;

/** The same vectors in a store, as the evaluator reads them, and on the topics, as they are served. */
async function bothOf(scorer: ScorerName): Promise<{ space: Space; graph: TestGraph }> {
  const random = Random.seeded(7);
  const vector = () => Array.from({ length: DIM }, () => Math.fround(2 * random.uniform() - 1));
  const keys: EntityKey[] = [...USERS.map(user), ...Array.from({ length: TWEETS }, (_, i) => tweet(i))];
  const moves = relations.map(({ name }) => [name, [vector(), vector()] as const] as const);
  const vectors = keys.map((key) => [key, vector()] as const);

  const { store, head } = await storeOf({
    model: { dim: DIM, scorer, entityTypes: ['user', 'tweet'], relations: [...relations] },
    head: { rows: 2 * relations.length + keys.length },
    relations: Object.fromEntries(moves),
    vectors: Object.fromEntries(vectors),
  });

  const graph = graphOf({ relations });
  for (const [key, of] of vectors) graph.put(key, of);
  for (const [name, [forward]] of moves) graph.relate(name, forward, { scorer });
  return { space: await readSpace(store, head), graph };
}

describe('the home list', () => {
  it.each(ALL)('of several relations is the order of the weighted recommender, with %s', async (scorer) => {
    const { space, graph } = await bothOf(scorer);
    // The evaluator's candidates are the tweets of the stream: somebody engages with each.
    const others = Array.from({ length: TWEETS }, (_, i) => `c likes ${i}`);
    const own = [
      'a likes 1',
      'a likes 2',
      'a retweets 2',
      'a likes 7',
      'b retweets 9',
      'b likes 4',
      '-b likes 4',
      'd likes 3',
      '-d likes 3',
    ];
    const events = [...others, ...own, 'b retweets 11'];
    const stream = streamOf(...events);
    events.forEach((text, at) => void graph.activity.take(changeOf(text, at + 1)));
    const split = splitStream(stream, events.length);
    const scope = split.scopes.find(({ relations: { length } }) => length === 2)!;
    const by = byVectors(space, stream, split);
    const scores = new Float64Array(scope.pair.candidates.length);
    for (const [name, seen] of [
      ['a', [1, 2, 7]],
      // What was taken back is left out too.
      ['b', [4, 9, 11]],
      // Without any live edge: both weigh by the edges of all users.
      ['d', [3]],
    ] as const) {
      by.score([stream.find(user(name))!], scope, scores);
      const order = [...scope.pair.candidates]
        .map((number, k) => ({ entity: stream.entities[number]!, score: scores[k]! }))
        .filter(({ entity }) => !seen.some((i) => tweet(i) === entity))
        .sort((x, y) => y.score - x.score);
      const { items } = await surfacesOf(graph).candidates({ surface: 'home', from: user(name), k: 200 });
      expect(items).toHaveLength(TWEETS - seen.length);
      expect(items.map(({ entity }) => entity)).toEqual(order.map(({ entity }) => entity));
      // The recommender's scores are of float32.
      for (const [i, { score }] of items.entries()) expect(score).toBeCloseTo(order[i]!.score, 4);
    }
  });
});
