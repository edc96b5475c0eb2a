import { expect, test } from 'vitest';
import { Holders } from '../../../src/pipeline/training/holders.ts';

test('keeps rows and shards apart, beyond 32 shards too', () => {
  const holders = new Holders(3, 70);
  for (const shard of [0, 31, 32, 63, 64, 69]) holders.add(1, shard);
  holders.add(2, 64);
  holders.remove(1, 63);
  holders.remove(0, 31);
  expect([...holders.of(1)]).toEqual([0, 31, 32, 64, 69]);
  expect([[...holders.of(0)], [...holders.of(2)]]).toEqual([[], [64]]);
  expect([holders.has(1, 32), holders.has(1, 33), holders.has(0, 69)]).toEqual([true, false, false]);
  expect([0, 1, 2].map((row) => holders.any(row))).toEqual([false, true, true]);
  holders.clear(1);
  expect([0, 1, 2].map((row) => holders.any(row))).toEqual([false, false, true]);
});
