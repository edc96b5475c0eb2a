import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestBytes } from '../../src/adapters/kafka/producer/record-batch.ts';
import { deadLetter, deadLetterDeclaration } from '../../topics/index.ts';

const RECORD = {
  topic: 'twhin.follow',
  partition: 3,
  offset: 12_345_678_901,
  key: Buffer.from([0, 255]),
  value: Buffer.from([0xff, 0x00, 0x7b]),
};

test('keeps key and value, and adds place and reason', () => {
  const letter = deadLetter(RECORD, { code: 'not-json', message: 'the value is not UTF-8', graph: 'follow' });
  const headers = {
    'source-topic': 'twhin.follow',
    'source-partition': '3',
    'source-offset': '12345678901',
    'key-bytes': '2',
    'value-bytes': '3',
    'header-bytes': '0',
    code: 'not-json',
    reason: 'the value is not UTF-8',
    graph: 'follow',
  };
  expect(letter).toEqual({
    topic: 'twhin.dead-letter',
    key: Buffer.from([0, 255]),
    value: Buffer.from([0xff, 0x00, 0x7b]),
    headers,
    least: { topic: 'twhin.dead-letter', key: null, value: null, headers },
  });
});

test('keeps the record’s headers, but replaces a forged reason', () => {
  const record = { ...RECORD, headers: { trace: Buffer.from([0xff]), code: 'forged' }, value: null };
  const letter = deadLetter(record, { code: 'null-value', message: 'm' }, 'p.');
  expect(letter.topic).toBe('p.dead-letter');
  expect(letter.value).toBeNull();
  expect(letter.headers).toEqual({
    trace: Buffer.from([0xff]),
    'source-topic': 'twhin.follow',
    'source-partition': '3',
    'source-offset': '12345678901',
    'key-bytes': '2',
    'value-bytes': 'none',
    'header-bytes': '16',
    code: 'null-value',
    reason: 'm',
  });
});

test('any record has a letter that fits a topic with the limit that Kafka gives it, and a least form that fits 10 kB', () => {
  const bytes = fc.nat(3_000_000).map((length) => Buffer.alloc(length, 'é'));
  const part = fc.string({ unit: 'binary', minLength: 1 });
  const text = fc.tuple(part, fc.nat(5_000)).map(([some, n]) => some.repeat(n));
  const named = fc.dictionary(text, fc.oneof(text, bytes), { maxKeys: 3 });
  const many = fc.nat(20_000).map((n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [i, ''])));
  const headers = fc.oneof(many, named);
  fc.assert(
    fc.property(fc.option(bytes), fc.option(bytes), headers, text, (key, value, given, message) => {
      const record = { ...RECORD, topic: 't'.repeat(249), key, value, headers: given };
      const rejection = { code: 'wrong-shape', message, graph: 'g'.repeat(249) };
      const { least, ...letter } = deadLetter(record, rejection, 'p'.repeat(150));
      expect(largestBytes([letter])).toBeLessThanOrEqual(1_048_588);
      expect(largestBytes([least])).toBeLessThan(10_000);
      expect(least.headers).toMatchObject({
        'key-bytes': String(key?.length ?? 'none'),
        'value-bytes': String(value?.length ?? 'none'),
      });
      const begins = (cut: Buffer | null, whole: Buffer | null, most: number) =>
        cut === whole || (cut !== null && whole?.subarray(0, most).equals(cut));
      expect(begins(letter.value, value, 900_000) && begins(letter.key, key, 16_384)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

test('cuts a reason between characters, and leaves out headers that are too long together', () => {
  const record = { ...RECORD, headers: { trace: 'x'.repeat(9_000), baggage: Buffer.alloc(8_000) } };
  const { headers } = deadLetter(record, { code: 'wrong-shape', message: `x${'😀'.repeat(2_000)}` });
  expect(headers).toMatchObject({ reason: `x${'😀'.repeat(511)}`, 'header-bytes': '17012' });
  expect([headers['trace'], headers['baggage']]).toEqual([undefined, undefined]);
});

test('has room for the largest letter', () => {
  const { name, configs } = deadLetterDeclaration();
  expect(name).toBe('twhin.dead-letter');
  expect(configs['max.message.bytes']).toBe('2097152');
});
