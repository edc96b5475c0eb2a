import { describe, expect, test } from 'vitest';
import type { GraphStore } from '../../src/graph/graph-store.ts';
import { liveEdgeRows } from '../../src/graph/live-edges.ts';
import { NameIndex } from '../../src/graph/name-index.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { edge } from '../evaluation/compare/fixture.ts';
import { commitOf, graph, tweet, user } from './graph-fixture.ts';

const ENTITIES = [user('a'), user('b'), user('ab'), tweet('a')];

async function storeOf(...edges: string[]): Promise<GraphStore> {
  const store = graph();
  await store.commit(commitOf({ edges: edges.map(edge) }));
  return store;
}

/** The row of an entity: from 4 on, in the order above. */
function names(store: GraphStore): NameIndex {
  const rows = new NameIndex();
  for (const [i, key] of ENTITIES.entries()) {
    const name = store.layout.prefixes.edgesOut(key);
    rows.add(name, 1, name.length, 4 + i);
  }
  return rows;
}

async function read(store: GraphStore, size = 100): Promise<number[][][]> {
  const blocks = await Array.fromAsync(liveEdgeRows(store, names(store), size, () => true));
  return blocks.map(({ lhs, relation, rhs }) => listed(lhs, relation, rhs));
}

const listed = (lhs: Int32Array, relation: ArrayLike<number>, rhs: Int32Array) =>
  [...lhs].map((row, i) => [row, relation[i] ?? -1, rhs[i] ?? -1]);

const EDGES = [
  'user:a follows user:b',
  '-user:a follows user:ab',
  'user:a likes tweet:a',
  'user:b follows user:a',
  '-user:x follows user:y',
  'user:ab likes tweet:a',
  'user:ab follows user:ab',
];
const ROWS = [
  [4, 0, 5],
  [4, 1, 7],
  [5, 0, 4],
  [6, 0, 6],
  [6, 1, 7],
];

describe('liveEdgeRows', () => {
  test('gives live edges as rows, in the order of the store, in blocks of the requested size', async () => {
    const store = await storeOf(...EDGES);
    expect(await read(store)).toEqual([ROWS]);
    expect(await read(graph())).toEqual([]);
    expect(await read(store, 2)).toEqual([ROWS.slice(0, 2), ROWS.slice(2, 4), ROWS.slice(4)]);
    expect(await read(store, 5)).toEqual([ROWS]);
  });

  test('names a missing end, lhs or rhs', async () => {
    await expect(read(await storeOf('user:a follows user:gone'))).rejects.toThrow(
      'an edge names user:gone, an entity that the store does not have',
    );
    await expect(read(await storeOf('user:none follows user:a'))).rejects.toThrow(
      'an edge names user:none, an entity that the store does not have',
    );
  });

  test('gives the edges that are trained here', async () => {
    const store = await storeOf(...EDGES, 'user:a likes tweet:gone');
    const trains = (key: Uint8Array, lhs: number, rhs: number) =>
      store.layout.edgeOf(key).lhs === 'user:a' && rhs !== 7 && [lhs, rhs].every((row) => row >= 0);
    const blocks = await Array.fromAsync(liveEdgeRows(store, names(store), 100, trains));
    expect(blocks.map(({ lhs, relation, rhs }) => listed(lhs, relation, rhs))).toEqual([[[4, 0, 5]]]);
  });

  test.each(['65000061ff000061', '6500006100000061ff', '65000961', '65000061'])(
    'refuses the key %s',
    async (key) => {
      const store = await storeOf();
      const batch = new WriteBatch();
      batch.put(Buffer.from(key, 'hex'), store.layout.encodeEdge({ at: 1, removed: false }));
      await store.entries.write(batch);
      await expect(read(store)).rejects.toThrow(/the store holds an impossible key/);
    },
  );
});
