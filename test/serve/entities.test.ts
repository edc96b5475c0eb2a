import { expect, test } from 'vitest';
import { Entities, keyOfType } from '../../src/serve/entities.ts';
import { activityOf, block, edge, graphOf, T0, tweet, user } from './serve-fixture.ts';

test('an entity by its id alone is read as one with its type: the text of a query is normalised', () => {
  for (const id of [' Jazz  News', 'query: Jazz  News'])
    expect(keyOfType('query', id)).toBe('query:jazz news');
  expect(keyOfType('user', 'A')).toBe('user:A');
});

test('some entity of a type is one with a vector, of the first graph that has any', () => {
  const [empty, full] = [graphOf({ name: 'empty' }), graphOf({ name: 'full' })];
  let place = 0;
  const entities = new Entities({ graphs: [empty, full], random: () => place });
  empty.put(tweet(1), [0, 0]);
  expect(entities.random('user')).toBeUndefined();
  for (const id of [1, 2]) full.put(user(id), [0, 0]);
  expect(entities.random('user')).toBe(user(1));
  place = 0.9;
  expect(entities.random('user')).toBe(user(2));
  expect(entities.random('tweet')).toBe(tweet(1));
  expect(() => entities.random('product')).toThrow(
    expect.objectContaining({
      field: 'type',
      message: 'type: expected one of user, tweet, ad, advertiser, query, seen "product"',
    }),
  );
});

test('what an entity did lately is the newest first, of all graphs, without what was erased', () => {
  const [a, b] = [activityOf(), activityOf()];
  const entities = new Entities({
    graphs: [graphOf({ name: 'a', activity: a }), graphOf({ name: 'b', activity: b })],
    random: () => 0,
  });
  for (const activity of [a, b]) activity.take(edge(user(1), 'clicks', tweet('both'), T0 + 5));
  a.take(edge(user(1), 'likes', tweet(1), T0 + 1));
  a.take(edge(user(1), 'likes', tweet('gone'), T0 + 2));
  a.take({ erased: tweet('gone'), at: T0 + 3 });
  a.take(edge(user(2), 'likes', tweet(1), T0 + 9));
  b.take(edge(user(1), 'follows', user(2), T0 + 4));
  b.take(edge(user(1), 'follows', user(2), T0 + 7, true));
  b.take(block(user(1), user(3), T0 + 6));
  const { items: seen } = entities.recent({ entity: user(1), k: 9 });
  expect(seen.map(({ relation, entity, at }) => [relation, entity, at - T0])).toEqual([
    ['follows', user(2), 7],
    ['follows', user(3), 6],
    ['clicks', tweet('both'), 5],
    ['likes', tweet(1), 1],
  ]);
  expect(seen.map(({ removed, blocked }) => [removed, blocked])).toEqual([
    [true, false],
    [true, true],
    [false, false],
    [false, false],
  ]);
  expect(entities.recent({ entity: user(1), k: 2 })).toEqual({ entity: user(1), items: seen.slice(0, 2) });
  // A follow ends the block.
  b.take(edge(user(1), 'follows', user(3), T0 + 8));
  expect(entities.recent({ entity: user(1), k: 1 }).items).toEqual([
    { relation: 'follows', entity: user(3), at: T0 + 8, removed: false, blocked: false },
  ]);
  expect(() => entities.recent({ entity: 'product:1', k: 1 })).toThrow(
    /expected TYPE:ID of user, .*, seen "product:1"/,
  );
});
