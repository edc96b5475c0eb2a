import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { idOf } from '../../src/graph/entity.ts';
import { field, normalizeQuery } from '../../topics/fields.ts';
import { defineTopic, engagement, entityField, search, secondsField } from '../../topics/index.ts';

const lhsOf = (userId: unknown): string => {
  const [change] = engagement.changesOf({ userId, tweetId: 't', action: 'like', at: 1 });
  if (change === undefined || 'erased' in change) throw new Error('no edge');
  return idOf(change.lhs);
};

describe('ids', () => {
  const printable = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((id) => id.trim() !== '' && Buffer.byteLength(id) <= 256 && !/\p{Cc}/u.test(id));

  test('stay unchanged', () => {
    fc.assert(fc.property(printable, (id) => lhsOf(id) === id));
  });

  test('a number and its digits are the same id', () => {
    expect(lhsOf(123)).toBe('123');
    expect(lhsOf(0)).toBe('0');
    expect(lhsOf(-0)).toBe('0');
    fc.assert(fc.property(fc.maxSafeInteger(), (id) => lhsOf(id) === lhsOf(id.toString(10))));
  });

  test('different ids stay different', () => {
    expect(lhsOf('0123')).not.toBe(lhsOf(123));
    // The same letter, composed and decomposed: ids are bytes, and only queries are normalised.
    expect(lhsOf('\u00e9')).not.toBe(lhsOf('e\u0301'));
  });
});

test('a field that reads any value is still required', () => {
  const schema = z.object({ note: field(() => 'read') });
  const topic = defineTopic({ name: 'noted', schema, key: ({ note }) => note, changes: () => [] });
  expect(topic.keyOf({ note: undefined })).toBe('read');
  expect(() => topic.keyOf({})).toThrow(/^note: /);
});

describe('times in seconds', () => {
  const read = (sent: unknown) => secondsField.safeParse(sent);

  test('are milliseconds once read, with or without a fraction', () => {
    expect(read(1_795_885_000).data).toBe(1_795_885_000_000);
    expect(read(1_795_885_000.25).data).toBe(1_795_885_000_250);
  });

  test.each([
    [1_795_885_000_000, 'looks like milliseconds; expected epoch seconds'],
    [0, '0 is not after 1970-01-01T00:00:00Z'],
    [-5, '-5 is not after 1970-01-01T00:00:00Z'],
    ['1795885000', 'expected epoch seconds as a number, seen "1795885000"'],
    [null, 'expected epoch seconds as a number, seen null'],
  ])('%j is refused', (sent, message) => {
    expect(read(sent).error?.issues[0]?.message).toContain(message);
  });
});

describe('queries', () => {
  test.each([
    ['Higgs Boson', 'higgs boson'],
    ['  higgs \t\n boson ', 'higgs boson'],
    ['higgs\u00a0\u3000boson\u0085\u2028', 'higgs boson'],
    ['\uff28\uff29\uff27\uff27\uff33', 'higgs'],
    ['\ufb01lm', 'film'],
    ['CAFE\u0301', 'caf\u00e9'],
    ['\u00c9t\u00c9', '\u00e9t\u00e9'],
    ['x\u00b2', 'x2'],
  ])('%j is %j', (query, normal) => {
    expect(normalizeQuery(query)).toBe(normal);
    expect(search.changesOf({ userId: 1, query, at: 5 })).toEqual([
      { lhs: 'user:1', relation: 'searches', rhs: `query:${normal}`, at: 5, removed: false },
    ]);
  });

  test('is idempotent, and leaves no capitals or repeated spaces', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = normalizeQuery(text);
        expect(normalizeQuery(once)).toBe(once);
        expect(once).toBe(once.trim());
        expect(once).not.toMatch(/\s\s|[A-Z]/u);
      }),
      { numRuns: 2000 },
    );
  });

  test('a numeric query becomes its digits', () => {
    expect(search.changesOf({ userId: 1, query: 42, at: 5 })).toMatchObject([{ rhs: 'query:42' }]);
  });
});

describe('entities', () => {
  test('an id may contain colons; a query is normalised', () => {
    expect(entityField().safeParse('user:a:b').data).toBe('user:a:b');
    expect(entityField().safeParse('query:  Higgs  BOSON').data).toBe('query:higgs boson');
    expect(entityField().safeParse('user:ANN').data).toBe('user:ANN');
  });
});
