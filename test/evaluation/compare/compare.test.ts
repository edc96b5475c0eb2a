import { expect, test } from 'vitest';
import { compareStores } from '../../../src/evaluation/compare/compare.ts';
import { Random } from '../../../src/sampling/random.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { storeOf, withContents } from './fixture.ts';

test('a comparison names the differences of models and ranks what is common', async () => {
  const random = Random.seeded(5);
  const a = await storeOf({
    vectors: Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        i < 60 ? `user:${i}` : `tweet:${i}`,
        [2 * random.uniform() - 1, 2 * random.uniform() - 1],
      ]),
    ),
    edges: Array.from({ length: 30 }, (_, i) => `user:${i} follows user:${i + 1}`),
  });
  const b = await storeOf({
    model: { ...MODEL, dim: 3, relations: [MODEL.relations[0]!] },
    vectors: { 'user:1': [1, 0, 0], 'user:2': [1, 1, 0], 'user:9': [0, 1, 1], 'user:99': [1, 1, 1] },
    untrained: ['user:9'],
    edges: ['user:1 follows user:2'],
  });
  const log = new MemoryLog();
  // Of users that both have trained, only the second is new: user:9 has no training in B, user:99 is not in A.
  for (const [followerId, followedId] of [
    ['1', '2'],
    ['2', '1'],
    ['9', '1'],
    ['99', '1'],
  ])
    log.append('twhin.follow', { followerId, followedId, action: 'follow', at: 1000 });
  const records = withContents(log.records);
  const found = await compareStores({ a, b }, records, () => {});
  expect(found.models).toEqual([
    'dim: A has 2, B 3',
    'relations: A has follows (user → user), likes (user → tweet), B follows (user → user)',
  ]);
  expect(found.held).toEqual({ records: 4, edges: 1 });
  // Each end has no other candidate than the two users, which are its ends.
  expect(found.quality?.all.edges).toBe(1);
});
