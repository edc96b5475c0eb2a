import { expect, test } from 'vitest';
import { keyPartitioner } from '../../../../src/adapters/kafka/producer/partitioner.ts';

test('spreads messages without a key over all partitions in turn', () => {
  const choose = keyPartitioner();
  expect([null, undefined, null, null].map((none) => choose(none, 3))).toEqual([0, 1, 2, 0]);
  // A message with a key takes no turn.
  expect(choose('21', 3)).toBe((-973932308 & 0x7fffffff) % 3);
  expect(choose(null, 3)).toBe(1);
});
