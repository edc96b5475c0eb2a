import { createRequire } from 'node:module';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  encodeRequest,
  type ProduceFields,
  type ProtocolRequest,
  replaceProduceEncoder,
} from '../../../../src/adapters/kafka/producer/produce-request.ts';
import { recordBytes } from '../batch-bytes.ts';

type MakeRequest = (fields: ProduceFields) => ProtocolRequest;

const require = createRequire(import.meta.url);
const PATH = 'kafkajs/src/protocol/requests/produce/v3/request.js';
/** kafkajs's own, before it is replaced. */
const own: MakeRequest = require(PATH);

const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 40 }));
const bytes = fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array));
const headers = fc.dictionary(
  text.filter((name) => name !== '__proto__'),
  fc.oneof(text, bytes, fc.array(text, { maxLength: 3 })),
  { maxKeys: 9 },
);
const part = fc.oneof(text, bytes, fc.constant(null));

/** Records of which some share their headers. */
const messages = fc
  .tuple(fc.array(headers, { maxLength: 3 }), fc.array(fc.tuple(part, part, fc.nat(5)), { maxLength: 90 }))
  .map(([all, records]) =>
    records.map(([key, value, which]) => {
      const shared = all[which];
      return { key, value, ...(shared === undefined ? {} : { headers: shared }) };
    }),
  );
const i32 = fc.nat(2 ** 31 - 1);
const partition = fc.record(
  { partition: fc.nat(1_000), firstSequence: i32, messages },
  { requiredKeys: ['partition', 'messages'] },
);
const fields: fc.Arbitrary<ProduceFields> = fc.record(
  {
    acks: fc.constantFrom(-1, 0, 1),
    timeout: i32,
    transactionalId: fc.oneof(text, fc.constant(null)),
    producerId: fc.oneof(
      fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }).map(String),
      fc.integer({ min: -1, max: 2 ** 40 }),
    ),
    producerEpoch: fc.nat(32_767),
    topicData: fc.array(fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }), {
      maxLength: 3,
    }),
  },
  { requiredKeys: ['acks', 'timeout', 'topicData'] },
);

function ofRecords(...records: ProduceFields['topicData'][0]['partitions'][0]['messages']): ProduceFields {
  const partitions = [{ partition: 0, firstSequence: 7, messages: records }];
  return { acks: -1, timeout: 10_000, topicData: [{ topic: 'vectors', partitions }] };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_767_225_600_123 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a produce request', () => {
  test('has the bytes that kafkajs makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(fields, async (given) => {
        const { buf, buffer } = encodeRequest(given);
        const { buffer: expected } = await own(given).encode();
        expect(buffer.toString('hex')).toBe(expected.toString('hex'));
        expect(buf).toBe(buffer);
      }),
      { numRuns: 300 },
    );
  });

  test('has them too where it outgrows the room made for it', async () => {
    const shared = { step: '1', space: 'ä'.repeat(100) };
    const records = Array.from({ length: 3_000 }, (_, n) => ({
      key: `user:${n}`,
      value: Buffer.alloc(n === 1_000 ? 600_000 : 200, n),
      headers: n % 2 === 0 ? shared : { step: String(n) },
    }));
    const { buffer } = encodeRequest(ofRecords(...records));
    expect(buffer.equals((await own(ofRecords(...records)).encode()).buffer)).toBe(true);
  });

  test('takes a header without a value, which kafkajs can not', () => {
    const { buffer } = encodeRequest(ofRecords({ key: null, value: null, headers: { gone: null } }));
    const expected = recordBytes({ at: 0, headers: [['gone', null]] });
    expect(buffer.subarray(-expected.length).equals(expected)).toBe(true);
  });

  test('keeps its bytes while later ones are encoded', () => {
    const first = encodeRequest(ofRecords({ key: 'user:1', value: 'one' }));
    const before = first.buffer.toString('hex');
    encodeRequest(ofRecords({ key: 'user:2', value: 'two' }));
    expect(first.buffer.toString('hex')).toBe(before);
  });
});

describe('once the encoder is in place', () => {
  const GONE = ofRecords({ key: 'user:1', value: null, headers: { gone: null } });

  function ofKafkajs(version: number, given: ProduceFields): ProtocolRequest {
    const { protocol } = require('kafkajs/src/protocol/requests/produce/index.js');
    return protocol({ version })(given).request;
  }

  beforeEach(() => {
    expect(replaceProduceEncoder()).toBe(true);
    expect(replaceProduceEncoder()).toBe(true);
  });

  test.each([3, 4, 5, 6, 7])('it is what kafkajs produces with in version %i', async (version) => {
    const request = ofKafkajs(version, GONE);
    expect(request).toMatchObject({ apiKey: 0, apiVersion: version, apiName: 'Produce' });
    // kafkajs's own encoder throws for this one.
    expect((await request.encode()).buffer.equals(encodeRequest(GONE).buffer)).toBe(true);
    await expect(own(GONE).encode()).rejects.toThrow();
  });

  test.each([
    ['times of their own', ofRecords({ key: null, value: 'x', timestamp: '5' } as const)],
    ['compression', { ...ofRecords({ key: null, value: 'x' }), compression: 1 }],
  ])('kafkajs encodes records with %s', async (_, given) => {
    const { buffer } = await ofKafkajs(7, given).encode();
    expect(buffer.equals((await own(given).encode()).buffer)).toBe(true);
    expect(buffer.equals(encodeRequest(given).buffer)).toBe(false);
  });
});
