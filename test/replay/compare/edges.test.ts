import { describe, expect, test } from 'vitest';
import type { ComparedStore } from '../../../src/replay/compare/compared-stores.ts';
import { compareEdges } from '../../../src/replay/compare/edges.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { storeOf } from './fixture.ts';

async function compared(a: ComparedStore, b: ComparedStore) {
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
  test('counts live edges by relation, whatever their times, and names what one lacks', async () => {
    const { found } = await compared(await storeOf({ edges: A }), await storeOf({ edges: B }));
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

  test('tells of each edge that is live in either, once', async () => {
    const { told } = await compared(await storeOf({ edges: A }), await storeOf({ edges: B }));
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

  test('compares the relations that both models have, though they be numbered otherwise', async () => {
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
    const { found } = await compared(await storeOf({ edges: A }), b);
    expect(found).toMatchObject({
      follows: { both: 1, onlyA: 1, onlyB: 2 },
      likes: { both: 1, onlyA: 2, onlyB: 0 },
    });
    expect(Object.keys(found)).toEqual(['follows', 'likes']);
  });

  test('a relation between other types is another relation', async () => {
    const model = {
      ...MODEL,
      relations: [MODEL.relations[0]!, { name: 'likes', lhs: 'tweet', rhs: 'user' }],
    };
    const b = await storeOf({ model, edges: ['user:1 follows user:2', 'tweet:1 likes user:1'] });
    const { found } = await compared(await storeOf({ edges: A }), b);
    expect(found).toMatchObject({ follows: { both: 1, onlyA: 1, onlyB: 0 } });
    expect(Object.keys(found)).toEqual(['follows']);
  });
});
