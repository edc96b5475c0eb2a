import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../../../src/adapters/kafka/producer/byte-writer.ts';
import { keyPartitioner } from '../../../../src/adapters/kafka/producer/partitioner.ts';
import { type PlainRecord, writeRecords } from '../../../../src/adapters/kafka/producer/record-batch.ts';
import { largestBytes, requestsOf } from '../../../../src/adapters/kafka/producer/topic-partitions.ts';
import type { Message } from '../../../../src/pipeline/ports.ts';

const topic = 'vectors';
const PARTITIONS = 3;
const sorted = (given: readonly Message[]) =>
  [...requestsOf(given, PARTITIONS, keyPartitioner())].flatMap(([partition, requests]) =>
    requests.map((messages) => ({ partition, messages })),
  );

const text = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }));
const part = fc.oneof(
  text,
  fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
);
const message: fc.Arbitrary<Message> = fc.record({
  topic: fc.constant(topic),
  key: part,
  value: fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.constant(null)),
  headers: fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    part,
    { maxKeys: 9 },
  ),
});

function encodedBytes(messages: readonly PlainRecord[]): number {
  const writer = new ByteWriter(1024);
  writeRecords(writer, messages);
  return writer.written().length;
}

describe('the requests of messages', () => {
  test('hold each message once, in order, and only messages of one partition', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        const choose = keyPartitioner();
        const expected = [...Map.groupBy(messages, ({ key }) => choose(key, PARTITIONS))];
        expect(sorted(messages).map((request) => [request.partition, request.messages])).toEqual(expected);
      }),
    );
  });

  test('keep the bytes of a value, whatever view of memory it is', () => {
    const value = Uint8Array.of(1, 2, 3, 4, 5).subarray(2, 5);
    const [request] = sorted([{ topic, key: 'user:1', value, headers: {} }]);
    const sent = request?.messages[0]?.value;
    expect(sent).toBe(value);
  });

  test('stay below the brokers’ limit, and are not much smaller', () => {
    const shared = { space: 'ä'.repeat(150), step: '12' };
    const messages = Array.from({ length: 6_000 }, (_, n) => ({
      ...{ topic, key: `${'é'.repeat(n % 50)}:${n}`, value: Buffer.alloc(n % 900) },
      headers: n % 3 === 0 ? { step: String(n), at: 'x'.repeat(n % 90) } : shared,
    }));
    const requests = sorted(messages);
    for (const { partition, messages: run } of requests) {
      const bytes = encodedBytes(run);
      expect(bytes).toBeLessThan(900_000);
      if (requests.findLast((each) => each.partition === partition)?.messages === run) continue;
      expect(bytes).toBeGreaterThan(750_000);
    }
    expect(requests.length).toBeGreaterThan(3);
  });

  test('send a message that is too large alone, in its turn', () => {
    const sizes = [10, 950_000, 20, 30, 899_900, 40];
    const messages = sizes.map((size) => ({ topic, key: 'user:1', value: Buffer.alloc(size), headers: {} }));
    const lengths = sorted(messages).map((request) => request.messages.map(({ value }) => value?.length));
    expect(lengths).toEqual([[10], [950_000], [20, 30], [899_900], [40]]);
  });

  test('count at least the bytes of the record', () => {
    fc.assert(
      fc.property(message, (each) => {
        const [request] = sorted([each]);
        expect(largestBytes([each])).toBeGreaterThanOrEqual(encodedBytes(request?.messages ?? []));
      }),
    );
  });

  test('tell the size of the largest message', () => {
    const of = (size: number) => ({ topic, key: 'ä', value: Buffer.alloc(size), headers: { step: '12' } });
    expect(largestBytes([])).toBe(0);
    expect(largestBytes([of(5), of(500), of(50)])).toBe(70 + 2 + 500 + 10 + 6);
  });
});
