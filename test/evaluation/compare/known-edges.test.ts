import { expect, test } from 'vitest';
import { readKnownEdges } from '../../../src/evaluation/compare/quality.ts';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { edge, storeOf } from './fixture.ts';

const key = (name: string) => name as EntityKey;
const keys = (...names: string[]) => names.map(key);

async function knownOf(held: string[], candidates: EntityKey[], edges: { a: string[]; b: string[] }) {
  const stores = { a: await storeOf({ edges: edges.a }), b: await storeOf({ edges: edges.b }) };
  return readKnownEdges(stores, held.map(edge), new Set(candidates), () => {});
}

test('keeps the candidates that are positives in either store, for both ends', async () => {
  const known = await knownOf(
    ['user:1 follows user:2'],
    keys('user:2', 'user:3', 'user:4', 'user:5', 'tweet:4'),
    {
      a: ['user:1 follows user:3', 'user:1 likes tweet:4', '-user:1 follows user:5'],
      b: ['user:5 follows user:2', 'user:4 follows user:1', 'user:1 follows user:6'],
    },
  );
  // 2 is the held-back end; 6 is not a candidate; 4 has other edges; 1 no longer follows 5.
  expect([...known('lhs', 'follows', key('user:1')).others]).toEqual(['user:2', 'user:3']);
  expect([...known('rhs', 'follows', key('user:2')).others]).toEqual(['user:5']);
  expect([...known('lhs', 'follows', key('user:7')).others]).toEqual([]);
});

test('treats held-back edges as positives', async () => {
  const held = ['user:1 follows user:2', 'user:1 follows user:3', 'user:4 follows user:3'];
  const known = await knownOf(held, keys('user:1', 'user:3'), { a: [], b: [] });
  expect([...known('lhs', 'follows', key('user:1')).others]).toEqual(['user:3']);
  expect([...known('rhs', 'follows', key('user:3')).others]).toEqual(['user:1']);
});

test('counts edges of candidates and of held-back ends, by relation and end, in both stores', async () => {
  const edges = ['user:9 follows user:2', 'user:8 follows user:2', 'user:2 follows user:3'];
  const known = await knownOf(['user:1 follows user:2'], keys('user:3', 'tweet:3'), {
    a: edges,
    b: [...edges, 'user:9 likes tweet:3'],
  });
  expect(known('rhs', 'follows', key('user:2')).edges).toBe(4);
  expect(known('lhs', 'follows', key('user:2')).edges).toBe(2);
  expect(known('rhs', 'follows', key('user:3')).edges).toBe(2);
  expect(known('rhs', 'likes', key('tweet:3')).edges).toBe(1);
  expect(known('lhs', 'follows', key('user:1')).edges).toBe(0);
});

test('leaves out the edges of a relation that only one model has', async () => {
  const edges = ['user:1 likes tweet:3'];
  const a = await storeOf({ edges });
  const b = await storeOf({ model: { ...MODEL, relations: [MODEL.relations[0]!] } });
  const known = await readKnownEdges({ a, b }, [], new Set(keys('tweet:3')), () => {});
  expect(known('rhs', 'likes', key('tweet:3')).edges).toBe(0);
});
