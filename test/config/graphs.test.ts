import { describe, expect, test } from 'vitest';
import { declaredTopics } from '../../src/config/declared-topics.ts';
import { type ConfigureTwhin, configOf } from '../../src/config/load.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { BadEvent } from '../../src/errors/errors.ts';
import { fingerprint } from '../../src/graph/head.ts';
import { problemsOf } from './problems-of.ts';

/** A shop's configuration, with other values where given. */
const shop =
  (own: ConfigInput = {}): ConfigureTwhin =>
  ({ z, defineTopic, idField, instantField, entityKey }) => ({
    entityTypes: ['product', 'customer'],
    relations: [
      { name: 'views', lhs: 'customer', rhs: 'product' },
      { name: 'buys', lhs: 'customer', rhs: 'product' },
    ],
    topics: ['orders', 'wishes'].map((name) =>
      defineTopic({
        name,
        schema: z.object({ c: idField, p: idField, relation: z.string(), at: instantField }),
        key: ({ c }) => c,
        changes: ({ c, p, relation, at }) => [
          { lhs: entityKey('customer', c), relation, rhs: entityKey('product', p), at, removed: false },
        ],
      }),
    ),
    graphs: { shop: { topics: ['orders'], relations: ['views', 'buys'] } },
    ...own,
  });

const resolved = (input: ConfigInput | ConfigureTwhin) => configOf(input, {}, '/srv');
const graphsOf = (input: ConfigInput | ConfigureTwhin) =>
  resolved(input).graphs.map(({ name, topics }) => [name, topics.map((topic) => topic.name)]);
const topicsOf = (input: ConfigInput | ConfigureTwhin) =>
  declaredTopics(resolved(input)).map(({ name }) => name);

describe('which graphs there are', () => {
  test('without graphs of one’s own, the two that come with us', () => {
    expect(graphsOf({})).toEqual([
      ['engagement', ['engagement', 'ad-click', 'search', 'erasure']],
      ['follow', ['follow', 'ad-click', 'erasure']],
    ]);
    expect(graphsOf({ graphs: {} })).toEqual(graphsOf({}));
  });

  test('with graphs of one’s own, those alone, and the topics that they read or write', () => {
    expect(graphsOf(shop())).toEqual([['shop', ['orders', 'erasure']]]);
    expect(topicsOf(shop())).toEqual([
      'twhin.orders',
      'twhin.erasure',
      'twhin.embeddings.shop',
      'twhin.model.shop',
      'twhin.dead-letter',
    ]);
  });

  test('one that comes with us, where it is named: its topics and relations, unless given', () => {
    expect(graphsOf({ graphs: { follow: {} } })).toEqual([['follow', ['follow', 'ad-click', 'erasure']]]);
    expect(topicsOf({ graphs: { follow: {} } })).toEqual([
      'twhin.follow',
      'twhin.ad-click',
      'twhin.erasure',
      'twhin.embeddings.follow',
      'twhin.model.follow',
      'twhin.dead-letter',
    ]);
    const narrow = shop({
      graphs: { follow: { topics: ['follow'] }, shop: { topics: ['wishes'], relations: ['buys'] } },
    });
    expect(graphsOf(narrow)).toEqual([
      ['follow', ['follow', 'erasure']],
      ['shop', ['wishes', 'erasure']],
    ]);
    expect(resolved(narrow).graphs.map(({ model }) => model.relations.map(({ name }) => name))).toEqual([
      ['follows', 'clicks', 'promotes'],
      ['buys'],
    ]);
  });
});

describe('erasures', () => {
  const reading = (graph: { topics: string[]; erasure?: boolean }) =>
    shop({ graphs: { shop: { ...graph, relations: ['buys'] } } });

  test('reach every graph, unless that is switched off', () => {
    expect(graphsOf(reading({ topics: ['orders'] }))).toEqual([['shop', ['orders', 'erasure']]]);
    expect(graphsOf(reading({ topics: ['erasure', 'orders'] }))).toEqual([['shop', ['erasure', 'orders']]]);
    const off = reading({ topics: ['orders'], erasure: false });
    expect(graphsOf(off)).toEqual([['shop', ['orders']]]);
    expect(topicsOf(off)).not.toContain('twhin.erasure');
    expect(problemsOf(() => resolved(reading({ topics: ['orders', 'erasure'], erasure: false })))).toEqual([
      'graphs.shop.erasure: expected true with the topic erasure in graphs.shop.topics, seen false',
    ]);
  });

  test('take the configuration’s own entity types, and name those first', () => {
    const [graph] = resolved(shop()).graphs;
    const erasure = graph?.topics[1];
    expect(erasure?.changesOf({ entity: 'product:9', at: 5 })).toEqual([{ erased: 'product:9', at: 5 }]);
    expect(() => erasure?.changesOf({ entity: 'sku:9', at: 5 })).toThrow(
      'entity: expected TYPE:ID with a type of product, customer, seen "sku:9"',
    );
  });
});

test('the order of relations and of the graphs’ relations is no other model', () => {
  const relations = [
    { name: 'views', lhs: 'customer', rhs: 'product' },
    { name: 'buys', lhs: 'customer', rhs: 'product' },
    { name: 'refers', lhs: 'user', rhs: 'customer' },
  ];
  const names = ['views', 'searches', 'refers', 'buys', 'likes'];
  const model = (ordered: typeof relations, named: string[]) =>
    resolved(shop({ relations: ordered, graphs: { shop: { topics: ['orders'], relations: named } } }))
      .graphs[0]?.model;
  const one = model(relations, names);
  const other = model(relations.toReversed(), names.toReversed());
  expect(one?.relations.map(({ name }) => name)).toEqual(['likes', 'searches', 'buys', 'refers', 'views']);
  expect(one?.entityTypes).toEqual(['user', 'tweet', 'query', 'customer', 'product']);
  expect(other).toEqual(one);
  expect(one && fingerprint(one)).toBe(other && fingerprint(other));
});

test('a change that no relation of the configuration allows is rejected, one of another graph is not', () => {
  const [graph] = resolved(shop({ graphs: { shop: { topics: ['orders'], relations: ['buys'] } } })).graphs;
  const changes = (relation: string) => graph?.topics[0]?.read({ c: 1, p: 2, relation, at: 5 }).changes;
  const edge = { lhs: 'customer:1', rhs: 'product:2', at: 5, removed: false };
  expect(changes('views')).toEqual([{ ...edge, relation: 'views' }]);
  expect(() => changes('view')).toThrow(BadEvent);
  expect(() => changes('view')).toThrow(
    'the configuration has no relation "view"; expected one of views, buys',
  );
  // One of TwHIN's that no graph has would be lost without a trace.
  expect(() => changes('likes')).toThrow(
    'the configuration has no relation "likes"; expected one of views, buys',
  );
});

describe('names of one’s own that are TwHIN’s too', () => {
  const clicks = { name: 'clicks', lhs: 'user', rhs: 'product' };
  const own = (graphs: ConfigInput['graphs']): ConfigureTwhin => {
    const input = shop({ entityTypes: ['product', 'user'], relations: [clicks], topics: [], graphs });
    return (kit) => ({
      ...input(kit),
      topics: [
        kit.defineTopic({
          name: 'pages',
          schema: kit.z.object({ u: kit.idField, p: kit.idField, at: kit.instantField }),
          key: ({ u }) => u,
          changes: ({ u, p, at }) => [
            {
              lhs: kit.entityKey('user', u),
              relation: 'clicks',
              rhs: kit.entityKey('product', p),
              at,
              removed: false,
            },
          ],
        }),
      ],
    });
  };

  test('a relation replaces the built-in one, and a type is that type', () => {
    const { graphs } = resolved(own({ shop: { topics: ['pages'], relations: ['clicks'] } }));
    expect(graphs[0]?.model.relations).toEqual([clicks]);
    expect(graphs[0]?.topics[0]?.changesOf({ u: 1, p: 2, at: 5 })).toEqual([
      { lhs: 'user:1', relation: 'clicks', rhs: 'product:2', at: 5, removed: false },
    ]);
  });

  test('a built-in topic whose events do not fit the relation is told so', () => {
    const { topics } = resolved(
      own({ shop: { topics: ['pages', 'ad-click'], relations: ['clicks', 'promotes'] } }),
    );
    const adClick = topics.find(({ name }) => name === 'ad-click');
    expect(() => adClick?.changesOf({ userId: 1, adId: 2, advertiserId: 3, at: 5 })).toThrow(
      'changes of topic ad-click: expected clicks to lead from user to product, seen "user" to "ad"',
    );
  });
});
