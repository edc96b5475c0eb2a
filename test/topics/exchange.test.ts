import { expect, test } from 'vitest';
import { exchangeDeclaration, exchangeName } from '../../topics/index.ts';

test('the exchange of a graph has a partition for each shard, and keeps a week', () => {
  expect(exchangeName('follow')).toBe('exchange.follow');
  expect(exchangeDeclaration('follow', 8, 'p.')).toEqual({
    name: 'p.exchange.follow',
    role: 'written',
    partitions: 8,
    partitionsStay: expect.stringContaining('set graphs.follow.shards to the number of partitions'),
    configs: { 'cleanup.policy': 'delete', 'retention.ms': String(7 * 24 * 3_600_000) },
  });
  expect(exchangeDeclaration('follow', 2).name).toBe('twhin.exchange.follow');
});
