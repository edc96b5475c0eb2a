import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { BadEvent, UsageError } from '../../src/errors/errors.ts';
import { entityKey } from '../../src/graph/entity.ts';
import {
  actionField,
  adClick,
  defineTopic,
  EVENT_TOPICS,
  engagement,
  erasure,
  erasureOf,
  eventDeclaration,
  follow,
  idField,
  instantField,
  search,
} from '../../topics/index.ts';

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof BadEvent) return error.code;
    throw error;
  }
  return 'taken';
};

describe('the changes of an event', () => {
  test.each([
    ['like', 'likes', false],
    ['retweet', 'retweets', false],
    ['reply', 'replies', false],
    ['quote', 'quotes', false],
    ['mention', 'mentions', false],
    ['unlike', 'likes', true],
    ['unretweet', 'retweets', true],
  ])('%s', (action, relation, removed) => {
    const event = { userId: 1, tweetId: 2, action, at: 7 };
    expect(engagement.changesOf(event)).toEqual([
      { lhs: 'user:1', relation, rhs: 'tweet:2', at: 7, removed },
    ]);
    expect(engagement.keyOf(event)).toBe('1');
  });

  test.each([
    ['follow', { removed: false }],
    ['unfollow', { removed: true }],
    ['block', { removed: true, blocked: true }],
    ['unblock', { removed: true, blocked: false }],
  ])('%s', (action, change) => {
    const event = { followerId: 'a', followedId: 'b', action, at: 7 };
    expect(follow.changesOf(event)).toEqual([
      { lhs: 'user:a', relation: 'follows', rhs: 'user:b', at: 7, ...change },
    ]);
    expect(follow.keyOf(event)).toBe('a');
  });

  test("a click makes two edges, the user's first", () => {
    const event = { userId: 'u', adId: 'a', advertiserId: 'b', at: 7 };
    expect(adClick.changesOf(event)).toEqual([
      { lhs: 'user:u', relation: 'clicks', rhs: 'ad:a', at: 7, removed: false },
      { lhs: 'advertiser:b', relation: 'promotes', rhs: 'ad:a', at: 7, removed: false },
    ]);
    expect(adClick.keyOf(event)).toBe('u');
  });

  test('a search', () => {
    expect(search.read({ userId: 'u', query: ' Higgs  boson', at: 7 })).toEqual({
      key: 'u',
      changes: [{ lhs: 'user:u', relation: 'searches', rhs: 'query:higgs boson', at: 7, removed: false }],
    });
  });

  test('an erasure', () => {
    expect(erasure.read({ entity: 'tweet:9', at: 7 })).toEqual({
      key: 'tweet:9',
      changes: [{ erased: 'tweet:9', at: 7 }],
    });
    expect(erasureOf(['house']).keyOf({ entity: 'house:9', at: 7 })).toBe('house:9');
  });
});

describe('a custom topic', () => {
  const visit = defineTopic({
    name: 'visit',
    schema: z.object({
      userId: idField,
      venueId: idField,
      kind: actionField({ enter: false, leave: true }),
      stars: z.number().min(1).max(5).optional(),
      at: instantField,
    }),
    key: (event) => event.userId,
    changes: (event) => [
      {
        lhs: entityKey('user', event.userId),
        relation: 'visits',
        rhs: entityKey('venue', event.venueId),
        at: event.at,
        removed: event.kind,
      },
    ],
    partitions: 2,
    retentionMs: 1000,
  });

  test('reads events like the topics of TwHIN', () => {
    expect(visit.read({ userId: 5, venueId: 'v', kind: 'leave', at: '1970-01-01T00:00:01Z' })).toEqual({
      key: '5',
      changes: [{ lhs: 'user:5', relation: 'visits', rhs: 'venue:v', at: 1000, removed: true }],
    });
  });

  test('failures of zod’s own checks are wrong-shape, with the field and the value', () => {
    const event = { userId: 5, venueId: 'v', kind: 'enter', at: 7 };
    expect(codeOf(() => visit.read({ ...event, stars: 6 }))).toBe('wrong-shape');
    expect(() => visit.read({ ...event, stars: 6 })).toThrow(/^stars: .*, seen 6$/);
    expect(codeOf(() => visit.read({ ...event, kind: 'fly' }))).toBe('unknown-action');
  });

  const at = (change: { at: number; venue: string }) =>
    defineTopic({
      name: 'careless',
      schema: z.object({}),
      key: () => 'k',
      changes: () => [
        {
          lhs: entityKey('user', '1'),
          relation: 'visits',
          rhs: entityKey('venue', change.venue),
          at: change.at,
          removed: false,
        },
      ],
    });

  test("changes that the store can't hold are rejected", () => {
    expect(codeOf(() => at({ at: 5, venue: 'v' }).read({}))).toBe('taken');
    expect(codeOf(() => at({ at: Number.NaN, venue: 'v' }).read({}))).toBe('mapping-failed');
    expect(codeOf(() => at({ at: 0.5, venue: 'v' }).read({}))).toBe('mapping-failed');
    expect(codeOf(() => at({ at: 0, venue: 'v' }).read({}))).toBe('mapping-failed');
    expect(codeOf(() => at({ at: 5, venue: '' }).read({}))).toBe('mapping-failed');
    expect(codeOf(() => at({ at: 5, venue: 'x'.repeat(257) }).read({}))).toBe('mapping-failed');
    expect(codeOf(() => at({ at: 5, venue: 'x'.repeat(256) }).read({}))).toBe('taken');
  });

  test('what is no list of changes, or no key, is rejected', () => {
    const returning = (made: string, key = '"k"') =>
      // As from a configuration in plain JavaScript: the compiler would refuse it.
      defineTopic({
        name: 'careless',
        schema: z.object({}),
        key: () => JSON.parse(key),
        changes: () => JSON.parse(made),
      });
    const edge = { lhs: 'user:1', relation: 'visits', rhs: 'venue:2', at: 5, removed: false };
    const read = (made: unknown) => codeOf(() => returning(JSON.stringify(made)).read({}));
    expect(read([edge])).toBe('taken');
    expect(read(edge)).toBe('mapping-failed');
    expect(read(null)).toBe('mapping-failed');
    expect(read([null])).toBe('mapping-failed');
    expect(read([{ ...edge, lhs: 5 }])).toBe('mapping-failed');
    expect(read([{ ...edge, rhs: undefined }])).toBe('mapping-failed');
    expect(read([{ ...edge, removed: undefined }])).toBe('mapping-failed');
    expect(read([{ erased: 5, at: 5 }])).toBe('mapping-failed');
    expect(codeOf(() => returning('[]', '7').read({}))).toBe('mapping-failed');
    expect(() => returning('{}').read({})).toThrow(
      'changes of topic careless: expected an array, seen an object',
    );
    expect(() => returning('[]', '7').keyOf({})).toThrow('key of topic careless: expected a string, seen 7');
  });

  test('when the code of a topic throws, only the record is rejected', () => {
    const broken = defineTopic({
      name: 'broken',
      schema: z.object({ kind: z.string() }),
      key: (event) => event.kind,
      changes: ({ kind }) => {
        if (kind === 'typed') throw new BadEvent('wrong-shape', 'said on purpose');
        throw new TypeError('oops');
      },
    });
    expect(codeOf(() => broken.read({ kind: 'x' }))).toBe('mapping-failed');
    expect(() => broken.read({ kind: 'x' })).toThrow(/topic broken .*oops/);
    expect(codeOf(() => broken.read({ kind: 'typed' }))).toBe('wrong-shape');
  });

  test.each([true, false])('a change with blocked: %s leaves no edge', (blocked) => {
    const muted = (removed: boolean) =>
      defineTopic({
        name: 'muted',
        schema: z.object({}),
        key: () => '1',
        changes: () => [
          {
            lhs: entityKey('user', '1'),
            relation: 'follows',
            rhs: entityKey('user', '2'),
            at: 7,
            removed,
            blocked,
          },
        ],
      });
    expect(muted(true).changesOf({})).toMatchObject([{ removed: true, blocked }]);
    expect(codeOf(() => muted(false).changesOf({}))).toBe('mapping-failed');
    expect(() => muted(false).changesOf({})).toThrow(
      /topic muted .*blocked: (true|false) and removed: false/,
    );
  });

  test('a name that Kafka does not accept is refused', () => {
    const named = (name: string) => () =>
      defineTopic({ name, schema: z.object({}), key: () => '', changes: () => [] });
    expect(named('a b')).toThrow(UsageError);
    expect(named('')).toThrow(UsageError);
    expect(named('a/b')).toThrow('"a/b"');
  });

  test('is declared with its own settings', () => {
    expect(eventDeclaration(visit, 'x.')).toEqual({
      name: 'x.visit',
      role: 'events',
      partitions: 2,
      configs: { 'cleanup.policy': 'delete', 'retention.ms': '1000' },
    });
  });
});

test('the declarations of the topics of TwHIN', () => {
  const declaration = (name: string) => ({
    name: `twhin.${name}`,
    role: 'events',
    partitions: 4,
    configs: { 'cleanup.policy': 'delete', 'retention.ms': '604800000' },
  });
  expect(EVENT_TOPICS.map((topic) => eventDeclaration(topic))).toEqual([
    ...['engagement', 'follow', 'ad-click', 'search'].map(declaration),
    { ...declaration('erasure'), erasures: true },
  ]);
});
