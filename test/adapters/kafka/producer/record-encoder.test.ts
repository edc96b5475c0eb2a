import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type EncodedRecord,
  encodeRecord,
  type PlainRecord,
  replaceRecordEncoder,
} from '../../../../src/adapters/kafka/producer/record-encoder.ts';
import { recordBytes } from '../batch-bytes.ts';

const require = createRequire(import.meta.url);
const PATH = 'kafkajs/src/protocol/recordBatch/record/v0/index.js';
/** kafkajs's own, before it is replaced. */
const own: (record: PlainRecord) => EncodedRecord = require(PATH);

const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 40 }));
const bytes = fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array));
const record: fc.Arbitrary<PlainRecord> = fc.record(
  {
    offsetDelta: fc.nat(100_000),
    timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    key: fc.oneof(text, bytes, fc.constant(null)),
    value: fc.oneof(text, bytes, fc.constant(null)),
    headers: fc.dictionary(
      text.filter((name) => name !== '__proto__'),
      fc.oneof(text, bytes, fc.array(text, { maxLength: 3 })),
      { maxKeys: 9 },
    ),
  },
  { requiredKeys: ['key', 'value'] },
);

describe('the record encoder', () => {
  test('makes of any record the bytes that kafkajs makes of it', () => {
    fc.assert(
      fc.property(record, (given) => {
        const { buf, buffer } = encodeRecord(given);
        expect(buffer.toString('hex')).toBe(own(given).buffer.toString('hex'));
        expect(buf).toBe(buffer);
      }),
      { numRuns: 500 },
    );
  });

  test('keeps the bytes of records while later ones are written, and of one larger than a block', () => {
    const records = Array.from({ length: 3_000 }, (_, n) => ({
      key: Buffer.from(`user:${n}`),
      value: Buffer.alloc(n === 1_000 ? 600_000 : 200, n),
    }));
    const encoded = records.map(encodeRecord);
    for (const [n, { buffer }] of encoded.entries()) {
      expect(buffer.equals(recordBytes({ at: 0, ...records[n]! }))).toBe(true);
    }
  });

  test('writes a header without a value, which kafkajs can not', () => {
    const { buffer } = encodeRecord({ key: null, value: null, headers: { gone: null } });
    expect(buffer.equals(recordBytes({ at: 0, headers: [['gone', null]] }))).toBe(true);
  });

  test('is what kafkajs produces with once it is in place', async () => {
    expect(replaceRecordEncoder()).toBe(true);
    const request: (fields: object) => {
      encode(): Promise<{ buffer: Buffer }>;
    } = require('kafkajs/src/protocol/requests/produce/v3/request.js');
    expect(require(PATH)).toBe(encodeRecord);
    const messages = [{ key: 'user:1', value: Buffer.of(1, 2, 3), headers: { step: '7' }, timestamp: '5' }];
    const topicData = [{ topic: 'vectors', partitions: [{ partition: 0, firstSequence: 0, messages }] }];
    const { buffer } = await request({ acks: -1, timeout: 1, topicData }).encode();
    const expected = own({ key: 'user:1', value: Buffer.of(1, 2, 3), headers: { step: '7' } }).buffer;
    expect(buffer.subarray(-expected.length).equals(expected)).toBe(true);
  });
});
