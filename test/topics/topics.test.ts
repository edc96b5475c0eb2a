import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { BadEvent } from '../../src/errors/errors.ts';
import type { GraphChange } from '../../src/graph/edge.ts';
import { entityKey } from '../../src/graph/entity.ts';
import {
  actionField,
  adClick,
  defineTopic,
  engagement,
  erasure,
  erasureOf,
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

describe('a field', () => {
  test('can be optional, of a union, and checked further once its value is parsed', () => {
    const checked: string[] = [];
    const even = idField.refine((id) => checked.push(id) > 0 && Number(id) % 2 === 0, 'odd');
    const schema = z.object({
      id: even,
      other: idField.optional(),
      any: z.union([instantField, idField.transform((id) => `${id}!`)]),
    });
    expect(schema.parse({ id: 4, any: 'x' })).toEqual({ id: '4', any: 'x!' });
    expect(schema.parse({ id: '6', other: 7, any: 8 })).toEqual({ id: '6', other: '7', any: 8 });
    const problems = (id: unknown) =>
      schema
        .safeParse({ id, other: null, any: 8 })
        .error?.issues.map(({ path, message }) => [path[0], message]);
    const other = ['other', 'expected a string or an integer, seen null'];
    expect(problems(5)).toEqual([['id', 'odd'], other]);
    expect(problems(undefined)).toEqual([['id', 'expected a string or an integer, seen nothing'], other]);
    expect(checked).toEqual(['4', '6', '5']);
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

  const edge = {
    ...{ lhs: entityKey('user', '1'), relation: 'visits', rhs: entityKey('venue', '2') },
    ...{ at: 5, removed: false },
  };
  const making = (change: GraphChange) =>
    defineTopic({ name: 'careless', schema: z.object({}), key: () => 'k', changes: () => [change] });
  const readOf = (change: GraphChange) => codeOf(() => making(change).read({}));

  test("changes that the store can't hold are rejected", () => {
    for (const at of [Number.NaN, 0.5, 0])
      expect([at, readOf({ ...edge, at })]).toEqual([at, 'mapping-failed']);
    const lengths = [0, 1, 256, 257].map((bytes) => entityKey('venue', 'x'.repeat(bytes)));
    expect(lengths.map((rhs) => readOf({ ...edge, rhs }))).toEqual([
      ...['mapping-failed', 'taken', 'taken', 'mapping-failed'],
    ]);
  });

  test('what is no list of changes, or no key, is rejected', () => {
    const returning = (made: unknown, key: unknown = 'k') => {
      // As from a configuration in plain JavaScript: the compiler would refuse it.
      const [text, keyText] = [JSON.stringify(made), JSON.stringify(key)];
      const parts = { key: () => JSON.parse(keyText), changes: () => JSON.parse(text) };
      return defineTopic({ name: 'careless', schema: z.object({}), ...parts });
    };
    const read = (made: unknown) => codeOf(() => returning(made).read({}));
    expect(read([edge])).toBe('taken');
    const changes = [{ lhs: 5 }, { rhs: undefined }, { removed: undefined }].map((of) => ({
      ...edge,
      ...of,
    }));
    for (const wrong of [edge, null, [null], ...changes.map((change) => [change]), [{ erased: 5, at: 5 }]])
      expect([wrong, read(wrong)]).toEqual([wrong, 'mapping-failed']);
    expect(codeOf(() => returning([], 7).read({}))).toBe('mapping-failed');
    expect(() => returning({}).read({})).toThrow(
      'changes of topic careless: expected an array, seen an object',
    );
    expect(() => returning([], 7).keyOf({})).toThrow('key of topic careless: expected a string, seen 7');
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
    expect(making({ ...edge, removed: true, blocked }).changesOf({})).toMatchObject([
      { removed: true, blocked },
    ]);
    expect(readOf({ ...edge, blocked })).toBe('mapping-failed');
    expect(() => making({ ...edge, blocked }).changesOf({})).toThrow(
      /topic careless .*blocked: (true|false) and removed: false/,
    );
  });
});
