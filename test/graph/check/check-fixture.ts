import { GraphStore } from '../../../src/graph/graph-store.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { commitRows, entity, graph, HEAD, tweet, user } from '../graph-fixture.ts';

/** Row 4 is user:a, 5 user:b, 6 tweet:t. As a regular stop leaves it. */
export const HEAD_OF_FILLED = {
  ...HEAD,
  rows: 7,
  edges: { follows: 2, likes: 1 },
  entities: { user: 2, tweet: 1 },
};

/** An intact store: two users follow each other; one of them liked a tweet, and removed a second like. */
export async function filled(store: GraphStore = graph()): Promise<GraphStore> {
  const edge = (lhs: string, rhs: string, at: number) => ({
    lhs: user(lhs),
    relation: 'follows',
    rhs: user(rhs),
    at,
    removed: false,
  });
  await commitRows(store, {
    head: HEAD_OF_FILLED,
    entities: [
      entity(user('a'), 4, { updates: 3 }),
      entity(user('b'), 5, { updates: 2 }),
      entity(tweet('t'), 6, { updates: 1 }),
    ],
    edges: [
      edge('a', 'b', 10),
      edge('b', 'a', 20),
      { lhs: user('a'), relation: 'likes', rhs: tweet('t'), at: 30, removed: false },
      { lhs: user('a'), relation: 'likes', rhs: tweet('s'), at: 40, removed: true },
    ],
    erasures: [{ key: user('gone'), at: 5 }],
    vectors: Object.fromEntries([0, 1, 2, 3, 4, 5, 6].map((row) => [row, [row, -0.5, 2, 0]])),
  });
  // As a command opens it, which knows nothing yet.
  return new GraphStore(store.entries, store.layout);
}

/** Writes a value. key: the letter of its kind and hex, or hex alone. A value of undefined deletes the key. */
export async function put(store: GraphStore, key: string, value: Uint8Array | undefined): Promise<void> {
  const named = /^[a-z](?:[0-9a-f]{2})*$/.test(key) && key.length % 2 === 1;
  const bytes = named
    ? Buffer.concat([Buffer.from(key.slice(0, 1)), Buffer.from(key.slice(1), 'hex')])
    : Buffer.from(key, 'hex');
  const batch = new WriteBatch();
  if (value === undefined) batch.delete(bytes);
  else batch.put(bytes, value);
  await store.entries.write(batch);
}
