import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { keyPartitioner } from '../../../../src/adapters/kafka/producer/partitioner.ts';
import { anyKey } from '../../../graph/any-key.ts';

describe('the partitioner', () => {
  test('chooses the partition that kafkajs chooses', () => {
    const [ours, theirs] = [keyPartitioner(), Partitioners.DefaultPartitioner()];
    fc.assert(
      fc.property(anyKey, fc.integer({ min: 1, max: 50 }), (given, count) => {
        const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
          partitionErrorCode: 0,
          partitionId,
          leader: 1,
          replicas: [1],
          isr: [1],
        }));
        const message = { key: given, value: null };
        expect(ours(given, count)).toBe(theirs({ topic: 'vectors', partitionMetadata, message }));
      }),
      { numRuns: 500 },
    );
  });

  test('spreads messages without a key over all partitions in turn', () => {
    const choose = keyPartitioner();
    expect([null, undefined, null, null].map((none) => choose(none, 3))).toEqual([0, 1, 2, 0]);
    // A message with a key takes no turn.
    expect(choose('21', 3)).toBe((-973932308 & 0x7fffffff) % 3);
    expect(choose(null, 3)).toBe(1);
  });
});
