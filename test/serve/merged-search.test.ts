import { describe, expect, it } from 'vitest';
import type { Relation } from '../../src/graph/edge.ts';
import type { EntityKey } from '../../src/graph/entity.ts';
import type { SearchAsked } from '../../src/serve/search.ts';
import { ShardMissed } from '../../src/serve/shard-link.ts';
import { Surfaces } from '../../src/serve/surfaces.ts';
import { edge, passes, query, RELATIONS, T0, tweet, user } from './serve-fixture.ts';
import { CutGraph, mergedOf, PARTS, PlainLink, shardOf } from './shard-fixture.ts';

const WORDS = ['jazz', 'chess', 'baking', 'cycling', 'football'];
const ASPECTS = ['news', 'for beginners', 'near me', 'podcast', 'live', 'tickets', 'shop'];
const QUERIES = WORDS.flatMap((word) => ASPECTS.map((aspect) => query(`${word} ${aspect}`)));
const USERS = Array.from({ length: 40 }, (_, i) => user(i));
const TWEETS = Array.from({ length: 60 }, (_, i) => tweet(i));

/** Points on a plane that no two entities share. */
function put(graph: CutGraph, entities: readonly EntityKey[], around: number): void {
  for (const [i, entity] of entities.entries()) {
    const angle = (7 * i) % 31;
    graph.put(entity, [around * Math.cos(angle) + i / 64, around * Math.sin(angle) - i / 32]);
  }
}

/** The same graphs in one process and in three. */
function cut(...graphs: readonly CutGraph[]) {
  const links = PARTS.map(
    (held, i) =>
      new PlainLink(
        `http://s${i}`,
        shardOf(
          graphs.map((graph) => graph.cut[i]!),
          held,
        ),
      ),
  );
  const whole = new Surfaces({ graphs: graphs.map((graph) => graph.whole), passes: passes(), adsOfOne: 2 });
  return { links, whole };
}

/** One graph with searches, queries, users and tweets; of the queries of the last word nobody is known who searched them. */
function searched(): CutGraph {
  const graph = new CutGraph();
  put(graph, USERS, 4);
  put(graph, TWEETS, 5);
  put(graph, QUERIES, 3);
  graph.relate('likes', [0.5, 0], 'twhin');
  graph.relate('retweets', [0, 0.25], 'twhin');
  graph.relate('follows', [0.125, 0.5], 'twhin');
  graph.relate('searches', [-0.5, 0.25], 'twhin', 1, true);
  for (const [i, asked] of QUERIES.slice(0, -ASPECTS.length).entries())
    for (const by of [i, 3 * i + 1, 5 * i + 2])
      graph.take(edge(USERS[by % USERS.length]!, 'searches', asked, T0 + by));
  for (const [i, liked] of TWEETS.entries()) {
    graph.take(edge(USERS[i % 9]!, 'likes', liked, T0 + i));
    if (i % 3 === 0) graph.take(edge(USERS[i % 7]!, 'retweets', liked, T0 + i));
  }
  return graph;
}

const ASKED = [
  QUERIES[0]!,
  QUERIES.at(-1)!,
  query('jaz podcasts'),
  query('football livee'),
  query('chess for'),
  query('near mee'),
  query('xylophone'),
];
const told = { partial: false, missingPartitions: [] };

describe('a search over shards', () => {
  it('is that of one process: known queries, unknown ones, and such that nobody searched', async () => {
    const graph = searched();
    const { links, whole } = cut(graph);
    const merged = mergedOf(links);
    const ways = new Set<string>();
    for (const type of ['tweet', 'user'] as const)
      for (const asked of ASKED) {
        const search: SearchAsked = { query: asked, type, k: 12 };
        const answer = await whole.search(search);
        expect(await merged.search(search)).toEqual({ ...answer, ...told });
        ways.add(`${answer.query.known} ${answer.query.used.length} ${answer.fallback}`);
      }
    expect([...ways].sort()).toEqual(['false 0 popular', 'false 3 null', 'true 1 null']);
    // The text of each query is in one shard alone, and so is each trigram's count.
    expect(new Set(QUERIES.map((each) => graph.shardOf(each))).size).toBe(3);
  });

  it('leads over the searchers, or who stands for them, from one graph to another', async () => {
    const of = (...names: string[]): Relation[] => RELATIONS.filter(({ name }) => names.includes(name));
    const engagement = new CutGraph('engagement', of('searches', 'likes'));
    const follow = new CutGraph('follow', of('follows'));
    put(engagement, USERS, 4);
    put(engagement, QUERIES, 3);
    put(follow, USERS, 6);
    engagement.relate('searches', [-0.5, 0.25], 'transe-l2', 1, true);
    follow.relate('follows', [0.125, 0.5], 'transe-l1');
    for (const by of [1, 2, 30]) engagement.take(edge(USERS[by]!, 'searches', QUERIES[0]!, T0 + by));
    const { links, whole } = cut(engagement, follow);
    const merged = mergedOf(links);
    for (const asked of [QUERIES[0]!, QUERIES.at(-1)!, query('jaz newss')]) {
      const search: SearchAsked = { query: asked, type: 'user', k: 12 };
      const answer = await whole.search(search);
      expect(answer).toMatchObject({ graph: 'follow', query: { graph: 'engagement' }, fallback: null });
      expect(await merged.search(search)).toEqual({ ...answer, ...told });
    }
    // The vectors of those who stand for the searchers are missing in part.
    links[2]!.before = (name) => {
      if (name === 'vectors') throw new ShardMissed('unreachable', 'gone');
    };
    expect(await merged.search({ query: QUERIES.at(-1)!, type: 'user', k: 12 })).toMatchObject({
      ...{ partial: true, missingPartitions: PARTS[2] },
    });
  });

  it('is popular where no vector is known, without what is idle', async () => {
    const graph = new CutGraph();
    for (const [i, liked] of TWEETS.entries()) graph.take(edge(user(i % 3), 'likes', liked, T0 + i * 1_000));
    const { links, whole } = cut(graph);
    const search: SearchAsked = { query: QUERIES[0]!, type: 'tweet', k: 40 };
    expect(await mergedOf(links).search(search)).toEqual({ ...(await whole.search(search)), ...told });
    put(graph, TWEETS.slice(30), 5);
    graph.relate('likes', [0, 0], 'twhin');
    for (const idleMs of [undefined, 10_000]) {
      const answer = await whole.search({ ...search, idleMs });
      expect(answer).toMatchObject({
        fallback: 'popular',
        filtered: { idle: idleMs === undefined ? 0 : 19 },
      });
      expect(await mergedOf(links).search({ ...search, idleMs })).toEqual({ ...answer, ...told });
    }
  });

  it('is partial without a shard that is away, in any step, and refused with one that is busy', async () => {
    const { links, whole } = cut(searched());
    const search: SearchAsked = { query: query('jaz podcasts'), type: 'tweet', k: 12 };
    const steps = ['begin-search', 'alike-texts', 'trigram-counts', 'searchers', 'top'] as const;
    for (const [i, step] of steps.entries()) {
      for (const [reason, ends] of [
        ['unreachable', { partial: true, missingPartitions: PARTS[1] }],
        ['moved', { partial: true, missingPartitions: PARTS[1] }],
        ['busy', undefined],
        ['late', undefined],
      ] as const) {
        links[1]!.before = (name) => {
          if (name === step) throw new ShardMissed(reason, reason);
        };
        links[0]!.asked.splice(0);
        const answer = mergedOf(links).search(search);
        if (ends !== undefined) {
          expect([step, await answer]).toMatchObject([step, ends]);
          continue;
        }
        await expect(answer).rejects.toMatchObject({ code: 'busy' });
        // Where the answer can't be whole, nobody is asked for more.
        if (i === 0) expect(links[0]!.asked).toEqual(['begin-search']);
      }
    }
    links[1]!.before = () => undefined;
    expect(await mergedOf(links).search(search)).toEqual({ ...(await whole.search(search)), ...told });
  });

  it('of a type that no graph has is refused as by one process', async () => {
    const { links } = cut(new CutGraph('g', [{ name: 'likes', lhs: 'user', rhs: 'tweet' }]));
    const search = { query: QUERIES[0]!, k: 3 } as const;
    await expect(mergedOf(links).search({ ...search, type: 'user' })).rejects.toMatchObject({
      code: 'search',
    });
  });
});
