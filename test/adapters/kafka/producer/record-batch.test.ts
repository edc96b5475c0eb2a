import { createRecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../../../src/adapters/kafka/producer/byte-writer.ts';
import {
  type BatchHead,
  encodeHeaders,
  type PlainHeaders,
  type PlainRecord,
  RecordBatch,
} from '../../../../src/adapters/kafka/producer/record-batch.ts';
import { checksum } from '../../../../src/adapters/kafka/reader/batches.ts';
import { crcOf } from '../batch-bytes.ts';

const NOW = 1_767_225_600_123;

const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 40 }));
const bytes = fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array));
const headers = fc.dictionary(
  text.filter((name) => name !== '__proto__'),
  fc.oneof(text, bytes, fc.constant(null)),
  { maxKeys: 9 },
);
const part = fc.oneof(text, bytes, fc.constant(null));

/** Records of which some share their headers. */
const records = fc
  .tuple(
    fc.array(headers, { maxLength: 3 }),
    fc.array(fc.tuple(part, part, fc.nat(5)), { minLength: 1, maxLength: 90 }),
  )
  .map(([all, list]) =>
    list.map(([key, value, which]): PlainRecord => {
      const shared = all[which];
      return shared === undefined ? { key, value } : { key, value, headers: shared };
    }),
  );

const asBytes = (given: PlainRecord['key']): Buffer | null =>
  given === null || given === undefined ? null : Buffer.from(given);

function written({ records: all, ...head }: Partial<BatchHead> & { records: PlainRecord[] }): Buffer {
  const batch = new RecordBatch(new ByteWriter(64));
  const encoded = new Map<PlainHeaders | undefined, Uint8Array>();
  for (const { key, value, headers: of } of all) {
    const block = encoded.get(of) ?? encodeHeaders(of ?? {});
    encoded.set(of, block);
    batch.add(key, value, block, Number.POSITIVE_INFINITY);
  }
  const plain = { transactional: false, producerId: 7n, producerEpoch: 3, firstSequence: 0 };
  // Of an attempt whose answer was lost.
  batch.encoded({ timestamp: 1, ...plain, firstSequence: 9 });
  return batch.encoded({ timestamp: NOW, ...plain, ...head });
}

/** The batch that the client's own producer would send. */
function ofClient(given: readonly PlainRecord[], transactionalId?: string): Buffer {
  const messages = given.map(({ key, value, headers: all = {} }) => ({
    topic: 'vectors',
    // The client's types have no null, but its encoding has.
    key: asBytes(key)!,
    value: asBytes(value)!,
    headers: new Map(Object.entries(all).map(([name, each]) => [Buffer.from(name), asBytes(each)!])),
    timestamp: BigInt(NOW),
  }));
  const options = {
    producerId: 7n,
    producerEpoch: 3,
    ...(transactionalId !== undefined && { transactionalId }),
  };
  return createRecordsBatch(messages, options).buffer;
}

describe('a batch', () => {
  test("has the bytes that the client's own producer makes of the records", () => {
    fc.assert(
      fc.property(records, fc.boolean(), (given, transactional) => {
        const expected = ofClient(given, transactional ? 'id' : undefined);
        expect(written({ records: given, transactional }).toString('hex')).toBe(expected.toString('hex'));
      }),
      { numRuns: 300 },
    );
  });

  test('has the same bytes where it outgrows the reserved room', () => {
    const shared = { step: '1', space: 'ä'.repeat(100) };
    const many = Array.from({ length: 3_000 }, (_, n) => ({
      key: `user:${n}`,
      value: Buffer.alloc(n === 1_000 ? 600_000 : 200, n),
      headers: n % 2 === 0 ? shared : { step: String(n) },
    }));
    expect(written({ records: many }).equals(ofClient(many))).toBe(true);
  });

  test('has the first sequence number of its producer', () => {
    const batch = written({
      records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }],
      producerId: 2n ** 62n,
      producerEpoch: 32_767,
      firstSequence: 2 ** 31 - 1,
      transactional: true,
    });
    expect(batch.readInt32BE(8)).toBe(batch.length - 12);
    expect(batch.readUInt32BE(17)).toBe(crcOf(batch.subarray(21)));
    expect(batch.readUInt16BE(21)).toBe(0x10);
    expect(batch.readInt32BE(23)).toBe(2);
    expect([batch.readBigInt64BE(43), batch.readInt16BE(51)]).toEqual([2n ** 62n, 32_767]);
    expect([batch.readInt32BE(53), batch.readInt32BE(57)]).toEqual([2 ** 31 - 1, 3]);
  });
});

describe('the checksum', () => {
  // RFC 3720, B.4, and the check value of the Rocksoft catalogue.
  test.each([
    ['zeros', Buffer.alloc(32), 0x8a9136aa],
    ['ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['rising bytes', Buffer.from(Array.from({ length: 32 }, (_, n) => n)), 0x46dd794e],
    ['123456789', Buffer.from('123456789'), 0xe3069283],
    ['nothing', Buffer.alloc(0), 0],
  ])('is the CRC-32C of %s', (_, given, crc) => {
    expect(checksum(given)).toBe(crc);
    expect(crcOf(given)).toBe(crc);
  });

  test('is the CRC-32C of any part of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (given, one, other) => {
        const part = Buffer.from(given).subarray(Math.min(one, other), Math.max(one, other));
        expect(checksum(part)).toBe(crcOf(part));
      }),
      { numRuns: 1_000 },
    );
  });
});
