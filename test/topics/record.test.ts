import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BadEvent } from '../../src/errors/errors.ts';
import {
  EVENT_TOPICS,
  type EventTopic,
  engagement,
  erasure,
  follow,
  REASONS,
  readEvent,
  readRecord,
  search,
} from '../../topics/index.ts';

/** 2024-01-01T00:00:00Z, the timestamp of every record here. */
const NOW = 1_704_067_200_000;
const DAY = 86_400_000;

function read(topic: EventTopic, value: Buffer | string | null, timestamp = NOW) {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return readRecord(topic, { value: bytes, timestamp });
}

/** The error that rejects a record; fails when the record is accepted. */
function refusal(topic: EventTopic, value: Buffer | string | null, timestamp = NOW): BadEvent {
  try {
    read(topic, value, timestamp);
  } catch (error) {
    if (error instanceof BadEvent) return error;
    throw error;
  }
  throw new Error(`taken: ${String(value)}`);
}

const like = (fields: string) => `{"userId":"u","tweetId":"t","action":"like","at":1704067200000,${fields}}`;
const by = (user: string) => `{"userId":${user},"tweetId":"t","action":"like","at":1704067200000}`;
const doing = (action: string) => `{"userId":"u","tweetId":"t","action":${action},"at":1704067200000}`;
const when = (at: string) => `{"userId":"u","tweetId":"t","action":"like","at":${at}}`;
const nest = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

const BAD: [code: string, name: string, value: Buffer | string | null][] = [
  ['null-value', 'a tombstone', null],
  [
    'too-large',
    'one byte over the limit',
    like(`"pad":"${'x'.repeat(65_536 - like('"pad":""').length + 1)}"`),
  ],
  ['too-large', 'too large to look at, JSON or not', '{'.repeat(70_000)],
  ['not-json', 'nothing', ''],
  ['not-json', 'cut', '{"userId":"u"'],
  ['not-json', 'two values', '{}{}'],
  ['not-json', 'single quotes', "{'userId':'u'}"],
  ['not-json', 'NaN', when('NaN')],
  ['not-json', 'a byte order mark', `\u{feff}${like('"x":1')}`],
  ['not-json', 'Latin-1', Buffer.from(by('"caf\u00e9"'), 'latin1')],
  [
    'not-json',
    'a surrogate in UTF-8',
    Buffer.concat([Buffer.from('{"userId":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
  ],
  ['not-json', 'deep and never closed', '['.repeat(60_000)],
  ['too-deep', 'nine deep', like(`"x":${nest(8)}`)],
  ['too-deep', 'very deep', like(`"x":${nest(30_000)}`)],
  ['too-deep', 'deep under a name given twice', like(`"x":${nest(20)},"x":1`)],
  ['too-deep', 'a deep array instead of an object', nest(9)],
  ['forbidden-field', '__proto__', like('"__proto__":{"admin":true}')],
  ['forbidden-field', '__proto__ of null', like('"__proto__":null')],
  ['forbidden-field', '__proto__ inside', like('"x":[{"__proto__":1}]')],
  ['forbidden-field', '__proto__ in escapes', like('"\\u005f_proto_\\u005f":1')],
  [
    'forbidden-field',
    '__proto__ all in escapes',
    like('"\\u005f\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f" : 1'),
  ],
  [
    'forbidden-field',
    '__proto__ with the fields in it',
    '{"__proto__":{"userId":"u","tweetId":"t","action":"like","at":1}}',
  ],
  ['wrong-shape', 'null', 'null'],
  ['wrong-shape', 'a number', '5'],
  ['wrong-shape', 'an array', `[${like('"x":1')}]`],
  ['wrong-shape', 'an empty object', '{}'],
  ['wrong-shape', 'no user', '{"tweetId":"t","action":"like","at":1704067200000}'],
  ['wrong-shape', 'no time', '{"userId":"u","tweetId":"t","action":"like"}'],
  ['wrong-shape', 'the wrong case', '{"userid":"u","tweetId":"t","action":"like","at":1704067200000}'],
  ['wrong-shape', 'a user of null', by('null')],
  ['wrong-shape', 'a user of {}', by('{}')],
  ['wrong-shape', 'a user of [1]', by('[1]')],
  ['wrong-shape', 'an action of null', doing('null')],
  ['wrong-shape', 'a time of null', when('null')],
  ['unknown-action', 'poke', doing('"poke"')],
  ['unknown-action', 'no letters', doing('""')],
  ['unknown-action', 'capitals', doing('"LIKE"')],
  ['unknown-action', '__proto__', doing('"__proto__"')],
  ['unknown-action', 'constructor', doing('"constructor"')],
  ['empty-id', 'no letters', by('""')],
  ['empty-id', 'spaces', by('"  \\t\u3000"')],
  ['id-too-long', '257 bytes', by(`"${'x'.repeat(257)}"`)],
  ['id-too-long', '258 bytes in 86 letters', by(`"${'\u20ac'.repeat(86)}"`)],
  ['control-characters', 'NUL', by('"a\\u0000b"')],
  ['control-characters', 'a line break', by('"a\\nb"')],
  ['control-characters', 'DEL', by('"a\u007fb"')],
  ['control-characters', 'C1', by('"a\u0085b"')],
  ['control-characters', 'half a pair', by('"a\\ud800b"')],
  ['unsafe-integer', '2 to the 53', by('9007199254740992')],
  ['unsafe-integer', 'far below zero', by('-9007199254740993')],
  ['unsafe-integer', 'a fraction', by('1.5')],
  ['unsafe-integer', 'past all numbers', by('1e999')],
  ['bad-instant', 'zero', when('0')],
  ['bad-instant', 'a fraction', when('1704067200000.5')],
  ['bad-instant', 'seconds with a fraction', when('1704067200.5')],
  ['bad-instant', 'after the last possible instant', when('8640000000000001')],
  ['bad-instant', 'past all numbers', when('1e999')],
  ['bad-instant', 'words', when('"yesterday"')],
  ['bad-instant', 'no zone', when('"2024-01-01T00:00:00"')],
  ['bad-instant', 'a date', when('"2024-01-01"')],
  ['bad-instant', '30 February', when('"2023-02-30T00:00:00Z"')],
  ['bad-instant', '29 February 2023', when('"2023-02-29T00:00:00Z"')],
  ['bad-instant', 'month 13', when('"2023-13-01T00:00:00Z"')],
  ['bad-instant', 'hour 24', when('"2023-01-01T24:00:00Z"')],
  ['bad-instant', 'the year 75', when('"0075-01-01T00:00:00Z"')],
  ['bad-instant', 'before 1970', when('"1969-12-31T23:59:59.999Z"')],
  ['bad-instant', 'before 1970 by its zone', when('"1970-01-01T00:30:00+01:00"')],
  ['bad-instant', 'milliseconds as text', when('"1704067200000"')],
  ['bad-instant', 'a date as people in the US write it', when('"01/02/2024"')],
  ['looks-like-seconds', 'now in seconds', when('1704067200')],
  ['looks-like-seconds', 'the first', when('100000000')],
  ['looks-like-seconds', 'the last', when('9999999999')],
  ['looks-like-seconds', 'as text', when('"1704067200"')],
  ['in-the-future', 'a day and a millisecond', when(String(NOW + DAY + 1))],
  ['in-the-future', 'as text', when('"2024-01-02T00:00:00.001Z"')],
  ['in-the-future', 'microseconds', when('1704067200000000')],
];

describe('a bad record', () => {
  test.each(BAD)('%s: %s', (code, _name, value) => {
    const error = refusal(engagement, value);
    expect(error.code).toBe(code);
    expect(error.message.length).toBeLessThan(400);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });

  test('the table has every reason that a sender can cause', () => {
    const covered = new Set(BAD.map(([code]) => code));
    expect(REASONS.filter((reason) => !covered.has(reason))).toEqual(['mapping-failed']);
  });

  test('names the field, the value and what to do', () => {
    const said = 'userId: 1.5 is not a safe integer; send the id as a string';
    expect(refusal(engagement, by('1.5')).message).toBe(said);
  });

  test('gives the first reason, in the order of REASONS', () => {
    const all = `{"userId":"a\\u0000","tweetId":"","action":"poke","at":1704067200}`;
    expect(refusal(engagement, all).code).toBe('unknown-action');
    expect(refusal(engagement, all.replace('poke', 'like')).code).toBe('empty-id');
    expect(refusal(engagement, all.replace('poke', 'like').replace('""', '"t"')).code).toBe(
      'control-characters',
    );
    expect(refusal(engagement, all.replace('"poke"', '1')).code).toBe('wrong-shape');
    expect(refusal(engagement, `{"__proto__":${nest(9)}}`).code).toBe('too-deep');
    expect(refusal(engagement, '{"userId":1.5,"tweetId":"t","action":"like","at":0}').code).toBe(
      'unsafe-integer',
    );
  });

  test.each<[EventTopic, value: string, code: string]>([
    [erasure, '{"entity":"user:","at":1}', 'empty-id'],
    [erasure, '{"entity":"house:1","at":1}', 'wrong-shape'],
    [erasure, '{"entity":"user","at":1}', 'wrong-shape'],
    [erasure, '{"entity":":1","at":1}', 'wrong-shape'],
    [erasure, '{"entity":"__proto__:1","at":1}', 'wrong-shape'],
    [erasure, '{"entity":123,"at":1}', 'wrong-shape'],
    [erasure, `{"entity":"user:${'x'.repeat(257)}","at":1}`, 'id-too-long'],
    [erasure, `{"entity":"user:1","at":${NOW + DAY + 1}}`, 'in-the-future'],
    [search, '{"userId":"u","query":" \\n ","at":1}', 'empty-id'],
    [search, '{"userId":"u","query":"a\\u0000b","at":1}', 'control-characters'],
    [search, `{"userId":"u","query":"${'x'.repeat(257)}","at":1}`, 'id-too-long'],
    [search, '{"userId":"u","query":null,"at":1}', 'wrong-shape'],
    [follow, '{"followerId":"1","followedId":"2","action":"mute","at":1}', 'unknown-action'],
  ])('of $name: %s', (topic, value, code) => {
    expect(refusal(topic, value).code).toBe(code);
  });
});

describe('a good record', () => {
  const GOOD: [name: string, value: string, user: string, at: number][] = [
    ['at the size limit', like(`"pad":"${'x'.repeat(65_536 - like('"pad":""').length)}"`), 'u', NOW],
    ['eight deep', like(`"x":${nest(7)}`), 'u', NOW],
    ['unknown fields', like('"device":"phone","constructor":1,"toString":2'), 'u', NOW],
    ['__proto__ as an unknown value', like('"x":"__proto__"'), 'u', NOW],
    ['brackets in text', like('"x":"[[[[[[[[[[[[{\\"__proto__\\":"'), 'u', NOW],
    ['__proto__ as an id', by('"__proto__"'), '__proto__', NOW],
    ['an id in escapes', by('"\\u00e9"'), '\u00e9', NOW],
    ['a colon in an id', by('"a:b"'), 'a:b', NOW],
    ['an id with spaces around', by('" a "'), ' a ', NOW],
    ['256 bytes', by(`"${'\u20ac'.repeat(85)}x"`), `${'\u20ac'.repeat(85)}x`, NOW],
    ['an emoji', by('"\u{1f600}"'), '\u{1f600}', NOW],
    ['the largest safe integer', by('9007199254740991'), '9007199254740991', NOW],
    ['a negative integer', by('-7'), '-7', NOW],
    ['an integer written as a float', by('12.0'), '12', NOW],
    ['the first millisecond', when('1'), 'u', 1],
    ['a second past 1970', when('1000'), 'u', 1000],
    ['just below numbers that look like seconds', when('99999999'), 'u', 99_999_999],
    ['just above numbers that look like seconds', when('10000000000'), 'u', 10_000_000_000],
    ['a day ahead', when(String(NOW + DAY)), 'u', NOW + DAY],
    ['UTC', when('"2024-01-01T00:00:00Z"'), 'u', NOW],
    ['an offset', when('"2024-01-01T05:30:00+05:30"'), 'u', NOW],
    ['an offset west', when('"2023-12-31T19:00:00.000-0500"'), 'u', NOW],
    ['a short offset', when('"2024-01-01T01:00+01"'), 'u', NOW],
    ['nanoseconds, truncated', when('"2023-12-31T23:59:59.999999999Z"'), 'u', NOW - 1],
    ['a tenth', when('"2023-12-31T23:59:59.9Z"'), 'u', NOW - 100],
    ['a leap day', when('"2020-02-29T00:00:00Z"'), 'u', 1_582_934_400_000],
    ['1970 in ISO 8601, which is valid', when('"1970-01-13T00:00:00Z"'), 'u', 12 * DAY],
  ];

  test.each(GOOD)('%s', (_name, value, user, at) => {
    expect(read(engagement, value)).toEqual([
      { lhs: `user:${user}`, relation: 'likes', rhs: 'tweet:t', at, removed: false },
    ]);
  });

  test('without timestamps in the log, the time of an event has no limit', () => {
    expect(read(engagement, when('4102444800000'), -1)).toHaveLength(1);
  });

  test('readEvent gives the key', () => {
    expect(readEvent(engagement, { value: Buffer.from(by('123')), timestamp: NOW }).key).toBe('123');
  });
});

describe('any value', () => {
  const codes = new Set<string>(REASONS);
  const outcome = (topic: EventTopic, value: Buffer) => {
    try {
      read(topic, value);
      return 'taken';
    } catch (error) {
      if (error instanceof BadEvent && codes.has(error.code)) return 'refused';
      throw error;
    }
  };
  const scalar = fc.oneof(
    fc.constantFrom('like', 'follow', '__proto__', 'constructor', 'user:1', '', ' ', '2024-01-01T00:00:00Z'),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.maxSafeInteger(),
    fc.jsonValue(),
  );
  const fields = 'userId tweetId followerId followedId adId advertiserId query entity action at'.split(' ');
  const nearly = fc.dictionary(fc.constantFrom(...fields), scalar);

  test.each(EVENT_TOPICS.map((topic) => [topic.name, topic] as const))('%s', (_name, topic) => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => outcome(topic, Buffer.from(bytes)) === 'refused',
      ),
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), nearly), (json) => {
        outcome(topic, Buffer.from(JSON.stringify(json)));
      }),
      { numRuns: 500 },
    );
  });
});
