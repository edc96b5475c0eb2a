import { describe, expect, test } from 'vitest';
import type { ComparedStore } from '../../../src/evaluation/compare/compared-stores.ts';
import { compareEdges, compareEntities, mergeJoin } from '../../../src/evaluation/compare/membership.ts';
import { Random } from '../../../src/sampling/random.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { storeOf } from './fixture.ts';

const compared = (a: ComparedStore, b: ComparedStore, sample = 100) =>
  compareEntities({ a, b }, { sample, random: Random.seeded(1), onProgress: () => {} });

const at = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, [1, 0]]));

describe('compareEntities', () => {
  test('counts common entities and names those of only one store, by type', async () => {
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

  test('names at most three entities', async () => {
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

  test('samples at most as many entities as asked', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => `user:${i}`);
    const [a, b] = [await storeOf({ vectors: at(...keys) }), await storeOf({ vectors: at(...keys) })];
    const found = (await compared(a, b, 20)).get('user');
    expect(found).toMatchObject({ both: 50, trained: 50 });
    expect(new Set(found?.sample.map(({ key }) => key)).size).toBe(20);
    expect((await compared(a, b, 20)).get('user')?.sample).toEqual(found?.sample);
  });

  test('compares the types of both models, whatever their numbers', async () => {
    const other = { ...MODEL, entityTypes: ['ad', 'tweet', 'user'] };
    const a = await storeOf({ vectors: at('user:1', 'user:2', 'tweet:1') });
    const b = await storeOf({ model: other, vectors: at('ad:1', 'tweet:1', 'tweet:2', 'user:2') });
    const found = await compared(a, b);
    expect([...found.keys()]).toEqual(['user', 'tweet']);
    expect(found.get('user')).toMatchObject({ both: 1, onlyA: 1, onlyB: 0 });
    expect(found.get('tweet')).toMatchObject({ both: 1, onlyA: 0, onlyB: 1 });
  });
});

async function comparedEdges(a: ComparedStore, b: ComparedStore) {
  const told: string[] = [];
  const found = await compareEdges(
    { a, b },
    { onEdge: ({ lhs, relation, rhs }) => told.push(`${lhs} ${relation} ${rhs}`), onProgress: () => {} },
  );
  return { found: Object.fromEntries(found), told: told.sort() };
}

const A = [
  'user:1 follows user:2',
  'user:1 likes tweet:1',
  'user:1 likes tweet:3',
  '-user:2 follows user:1',
  'user:2 follows user:3',
  'user:9 likes tweet:9',
];
const B = [
  'user:1 follows user:2@7',
  'user:1 follows user:3',
  'user:1 likes tweet:1',
  '-user:1 likes tweet:3',
  '-user:2 follows user:3@5',
  'user:3 follows user:1',
];

describe('compareEdges', () => {
  test('counts live edges by relation, whatever their times, and names those of only one store', async () => {
    const { found } = await comparedEdges(await storeOf({ edges: A }), await storeOf({ edges: B }));
    expect(found).toEqual({
      follows: {
        both: 1,
        onlyA: 1,
        onlyB: 2,
        examplesA: ['user:2 follows user:3'],
        examplesB: ['user:1 follows user:3', 'user:3 follows user:1'],
      },
      likes: {
        both: 1,
        onlyA: 2,
        onlyB: 0,
        examplesA: ['user:1 likes tweet:3', 'user:9 likes tweet:9'],
        examplesB: [],
      },
    });
  });

  test('calls onEdge once for each edge that is live in either store', async () => {
    const { told } = await comparedEdges(await storeOf({ edges: A }), await storeOf({ edges: B }));
    expect(told).toEqual([
      'user:1 follows user:2',
      'user:1 follows user:3',
      'user:1 likes tweet:1',
      'user:1 likes tweet:3',
      'user:2 follows user:3',
      'user:3 follows user:1',
      'user:9 likes tweet:9',
    ]);
  });

  test('compares the relations of both models, whatever their numbers', async () => {
    const model = {
      ...MODEL,
      entityTypes: ['tweet', 'user'],
      relations: [
        { name: 'likes', lhs: 'user', rhs: 'tweet' },
        { name: 'replies', lhs: 'user', rhs: 'tweet' },
        { name: 'follows', lhs: 'user', rhs: 'user' },
      ],
    };
    const b = await storeOf({ model, edges: [...B, 'user:1 replies tweet:1'] });
    const { found } = await comparedEdges(await storeOf({ edges: A }), b);
    expect(found).toMatchObject({
      follows: { both: 1, onlyA: 1, onlyB: 2 },
      likes: { both: 1, onlyA: 2, onlyB: 0 },
    });
    expect(Object.keys(found)).toEqual(['follows', 'likes']);
  });

  test('does not compare relations of one name between different types', async () => {
    const model = {
      ...MODEL,
      relations: [MODEL.relations[0]!, { name: 'likes', lhs: 'tweet', rhs: 'user' }],
    };
    const b = await storeOf({ model, edges: ['user:1 follows user:2', 'tweet:1 likes user:1'] });
    const { found } = await comparedEdges(await storeOf({ edges: A }), b);
    expect(found).toMatchObject({ follows: { both: 1, onlyA: 1, onlyB: 0 } });
    expect(Object.keys(found)).toEqual(['follows']);
  });
});

async function* of(numbers: readonly number[], onEnd = () => {}): AsyncIterable<number> {
  try {
    yield* numbers;
  } finally {
    onEnd();
  }
}

const joined = (a: number[], b: number[]) => Array.fromAsync(mergeJoin(of(a), of(b), (x, y) => x - y));

describe('mergeJoin', () => {
  test('pairs equal things and leaves the rest single, in order', async () => {
    expect(await joined([1, 3, 4, 8], [2, 3, 8, 9])).toEqual([
      { a: 1 },
      { b: 2 },
      { a: 3, b: 3 },
      { a: 4 },
      { a: 8, b: 8 },
      { b: 9 },
    ]);
  });

  test('continues when either sequence ends first or is empty', async () => {
    expect(await joined([], [1, 2])).toEqual([{ b: 1 }, { b: 2 }]);
    expect(await joined([1, 2], [])).toEqual([{ a: 1 }, { a: 2 }]);
    expect(await joined([1], [0, 1, 2])).toEqual([{ b: 0 }, { a: 1, b: 1 }, { b: 2 }]);
    expect(await joined([], [])).toEqual([]);
  });

  test('ends both iterators when it is left early', async () => {
    let ended = 0;
    const end = () => void ended++;
    for await (const _ of mergeJoin(of([1, 2], end), of([1, 2], end), (x, y) => x - y)) break;
    expect(ended).toBe(2);
  });
});
