import { expect, test } from 'vitest';
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
  expect(letter).toEqual({
    topic: 'twhin.dead-letter',
    key: Buffer.from([0, 255]),
    value: Buffer.from([0xff, 0x00, 0x7b]),
    headers: {
      'source-topic': 'twhin.follow',
      'source-partition': '3',
      'source-offset': '12345678901',
      code: 'not-json',
      reason: 'the value is not UTF-8',
      graph: 'follow',
    },
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
    code: 'null-value',
    reason: 'm',
  });
});

test('has room for the largest record and the added headers', () => {
  const { name, configs } = deadLetterDeclaration();
  expect(name).toBe('twhin.dead-letter');
  expect(configs['max.message.bytes']).toBe('2097152');
});
