import { murmur2 as theirs } from '@platformatic/kafka';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { murmur2, partitionOf } from '../../src/graph/murmur2.ts';

/** Keys of records: texts, and bytes that may be no text. */
const anyKey = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  // The first character beyond ASCII comes anywhere.
  fc
    .tuple(fc.string({ maxLength: 8 }), fc.string({ unit: 'binary', maxLength: 8 }))
    .map((parts) => parts.join('')),
  fc.string({ minLength: 250, maxLength: 260 }),
  // Half a surrogate pair has no UTF-8 bytes of its own.
  fc.array(fc.integer({ min: 0xd800, max: 0xdfff })).map((units) => String.fromCharCode(...units)),
  fc.nat().map((id) => `user:${id}`),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

describe('murmur2', () => {
  // From Kafka's own UtilsTest.testMurmur2.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('hashes %s as Java does', (given, hash) => {
    expect(murmur2(given)).toBe(hash);
    expect(murmur2(Buffer.from(given))).toBe(hash);
  });

  test('hashes any key as another client does', () => {
    fc.assert(
      fc.property(anyKey, (given) => {
        expect(murmur2(given)).toBe(theirs(given) | 0);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('a key has the partition that kafkajs chooses', () => {
  const theirs = Partitioners.DefaultPartitioner();
  const anyCount = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(anyKey, anyCount, (key, count) => {
      const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
        ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] },
      }));
      const message = { key, value: null };
      expect(partitionOf(key, count)).toBe(theirs({ topic: 'x', partitionMetadata, message }));
    }),
    { numRuns: 500 },
  );
});
