import { Partitioners } from 'kafkajs';
import { expect, test } from 'vitest';
import { entityKey } from '../../src/graph/entity.ts';
import {
  COPY_ACCUMULATOR,
  graphOf,
  shardName,
  shardOf,
  trainedShare,
  trainingShard,
} from '../../src/graph/shard.ts';
import { FOREIGN } from '../../src/model/table.ts';

test('an entity belongs to the shard of the partition that another client chooses for its key', () => {
  const theirs = Partitioners.DefaultPartitioner();
  const owned = [0, 0, 0];
  for (let id = 0; id < 300; id++) {
    const key = entityKey(id % 2 === 0 ? 'user' : 'query', id % 3 === 0 ? `größe ${id}` : String(id));
    const partitionMetadata = [0, 1, 2].map((partitionId) => ({
      ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] },
    }));
    const shard = shardOf(key, 3);
    expect(shard).toBe(theirs({ topic: 'x', partitionMetadata, message: { key, value: null } }));
    owned[shard]!++;
  }
  for (const count of owned) expect(count).toBeGreaterThan(50);
});

// From the vectors of Kafka's UtilsTest.testMurmur2: the sign is masked off before the division.
test.each([
  ['21', (-973932308 & 0x7fffffff) % 8],
  ['foobar', (-790332482 & 0x7fffffff) % 8],
])('%s belongs to shard %i of 8', (key, shard) => {
  expect(shardOf(key, 8)).toBe(shard);
  expect(shardOf(key, 1)).toBe(0);
});

test.each([1, 2, 3, 4, 5, 8, 16, 255])('of %i shards, each trains its share of the edges', (count) => {
  const shards = Array.from({ length: count }, (_, index) => index);
  const ofLhs = shards.map((lhs) => shards.map((rhs) => trainingShard(lhs, rhs, count)));
  const trained = shards.map(() => 0);
  for (const lhs of shards)
    for (const rhs of shards) {
      const shard = ofLhs[lhs]![rhs]!;
      expect([lhs, rhs]).toContain(shard);
      trained[shard]!++;
      // All edges of two shards are trained by one of them, unless these face each other in the circle.
      if ((2 * Math.abs(lhs - rhs)) % count !== 0) expect(ofLhs[rhs]![lhs]).toBe(shard);
    }
  expect(trained).toEqual(shards.map(() => count));
  // Edges of own entities: those within the shard, and half of the others.
  for (const index of shards) {
    const [lhs, rhs] = [trainedShare({ index, count }, 'lhs'), trainedShare({ index, count }, 'rhs')];
    expect(lhs * count).toBe(ofLhs[index]!.filter((shard) => shard === index).length);
    expect(rhs * count).toBe(ofLhs.filter((byRhs) => byRhs[index] === index).length);
    expect(lhs + rhs).toBeCloseTo((count + 1) / count, 10);
  }
});

test('a shard has a name of its own, and the name of its graph', () => {
  const shard = { graph: 'engagement', index: 3, count: 8 };
  expect(shardName(shard)).toBe('engagement-3');
  expect(graphOf({ name: 'engagement-3', shard })).toBe('engagement');
  expect(graphOf({ name: 'follow' })).toBe('follow');
});

test('a stored copy has the accumulator by which kernels know it', () => {
  expect(COPY_ACCUMULATOR).toBe(FOREIGN);
});
