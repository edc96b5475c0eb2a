import { describe, expect, test } from 'vitest';
import type { ComparedStore } from '../../../src/replay/compare/compared-stores.ts';
import { compareEntities } from '../../../src/replay/compare/entities.ts';
import { Random } from '../../../src/sampling/random.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { storeOf } from './fixture.ts';

const compared = (a: ComparedStore, b: ComparedStore, sample = 100) =>
  compareEntities({ a, b }, { sample, random: Random.seeded(1), onProgress: () => {} });

const at = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, [1, 0]]));

describe('compareEntities', () => {
  test('counts what both have and names what one lacks, by type', async () => {
    // Ids in the order of stores: shorter first, then by bytes, where é comes after z and 🦉 after ￮.
    const a = await storeOf({
      vectors: at('user:b', 'user:z', 'user:é', 'user:aa', 'tweet:1', 'user:￮a'),
    });
    const b = await storeOf({
      vectors: at('user:a', 'user:b', 'user:é', 'user:🦉', 'user:aaa', 'tweet:1'),
    });
    const found = await compared(a, b);
    expect([...found.keys()]).toEqual(['user', 'tweet']);
    expect(found.get('user')).toMatchObject({
      both: 2,
      onlyA: 3,
      onlyB: 3,
      examplesA: ['user:z', 'user:aa', 'user:￮a'],
      examplesB: ['user:a', 'user:aaa', 'user:🦉'],
    });
    expect(found.get('tweet')).toMatchObject({ both: 1, onlyA: 0, onlyB: 0, examplesA: [], examplesB: [] });
  });

  test('names three at most', async () => {
    const a = await storeOf({ vectors: at('user:1', 'user:2', 'user:3', 'user:4') });
    const found = (await compared(a, await storeOf({}))).get('user');
    expect(found).toMatchObject({ onlyA: 4, examplesA: ['user:1', 'user:2', 'user:3'] });
  });

  test('samples entities trained in both, with their rows in each', async () => {
    const a = await storeOf({
      vectors: at('user:x', 'user:1', 'user:2', 'user:3'),
      untrained: ['user:2'],
    });
    const b = await storeOf({ vectors: at('user:3', 'user:2', 'user:1'), untrained: ['user:3'] });
    const found = (await compared(a, b)).get('user');
    expect(found?.trained).toBe(1);
    expect(found?.sample).toEqual([{ key: 'user:1', rowA: 5, rowB: 6 }]);
  });

  test('keeps no more than asked', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `user:${i}`);
    const [a, b] = [await storeOf({ vectors: at(...keys) }), await storeOf({ vectors: at(...keys) })];
    const found = (await compared(a, b, 20)).get('user');
    expect(found).toMatchObject({ both: 50, trained: 50 });
    expect(new Set(found?.sample.map(({ key }) => key)).size).toBe(20);
    expect((await compared(a, b, 20)).get('user')?.sample).toEqual(found?.sample);
  });

  test('compares the types that both models have, though they be numbered otherwise', async () => {
    const other = { ...MODEL, entityTypes: ['ad', 'tweet', 'user'] };
    const a = await storeOf({ vectors: at('user:1', 'user:2', 'tweet:1') });
    const b = await storeOf({ model: other, vectors: at('ad:1', 'tweet:1', 'tweet:2', 'user:2') });
    const found = await compared(a, b);
    expect([...found.keys()]).toEqual(['user', 'tweet']);
    expect(found.get('user')).toMatchObject({ both: 1, onlyA: 1, onlyB: 0 });
    expect(found.get('tweet')).toMatchObject({ both: 1, onlyA: 0, onlyB: 1 });
  });
});
