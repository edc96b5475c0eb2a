import { describe, expect, test } from 'vitest';
import { compareStores } from '../../../src/evaluation/compare/compare.ts';
import type { ComparedStore } from '../../../src/evaluation/compare/held-edges.ts';
import type { SourceRecord } from '../../../src/pipeline/ports.ts';
import { Random } from '../../../src/sampling/random.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { storeOf, withContents } from './fixture.ts';

function compared(a: ComparedStore, b: ComparedStore, records: readonly SourceRecord[] = []) {
  return compareStores({ a, b, records: withContents(records), seed: 1, onProgress: () => {} });
}

/** Sixty users and forty tweets at random. */
async function randomStore(): Promise<ComparedStore> {
  const random = Random.seeded(5);
  const vectors = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      i < 60 ? `user:${i}` : `tweet:${i}`,
      [2 * random.uniform() - 1, 2 * random.uniform() - 1],
    ]),
  );
  const edges = Array.from({ length: 30 }, (_, i) => `user:${i} follows user:${i + 1}`);
  return storeOf({ vectors, edges });
}

describe('compareStores', () => {
  test('finds no difference between a store and itself', async () => {
    const store = await randomStore();
    const log = new MemoryLog();
    for (let i = 0; i < 20; i++) {
      log.append('twhin.follow', { followerId: `${i}`, followedId: `${i + 20}`, action: 'follow', at: 1000 });
    }
    const found = await compared(store, store, log.records);
    expect(found.models).toEqual([]);
    expect(found.held).toEqual({ records: 20, edges: 20 });
    expect(found.quality?.all.a).toEqual(found.quality?.all.b);
    expect(found.quality?.difference).toEqual({ mrr: 0, standardError: 0 });
    expect(await compared(store, store)).toEqual({ models: [], held: { records: 0, edges: 0 } });
  });

  test('names the differences of models and ranks what is common', async () => {
    const a = await randomStore();
    const b = await storeOf({
      model: { ...MODEL, dim: 3, relations: [MODEL.relations[0]!] },
      vectors: { 'user:1': [1, 0, 0], 'user:2': [1, 1, 0], 'user:9': [0, 1, 1], 'user:99': [1, 1, 1] },
      untrained: ['user:9'],
      edges: ['user:1 follows user:2'],
    });
    const log = new MemoryLog();
    const tell = (followerId: string, followedId: string) =>
      log.append('twhin.follow', { followerId, followedId, action: 'follow', at: 1000 });
    // Of users that both have trained, only the second is new: user:9 has no training in B, user:99 is not in A.
    for (const [from, to] of [
      ['1', '2'],
      ['2', '1'],
      ['9', '1'],
      ['99', '1'],
    ] as const)
      tell(from, to);
    const found = await compared(a, b, log.records);
    expect(found.models).toEqual([
      'dim: A has 2, B 3',
      'relations: A has follows (user → user), likes (user → tweet), B follows (user → user)',
    ]);
    expect(found.held).toEqual({ records: 4, edges: 1 });
    // Each end has no other candidate than the two users, which are its ends.
    expect(found.quality?.all.edges).toBe(1);
  });
});
