import { expect, test } from 'vitest';
import { describeEntity } from '../../src/graph/describe-entity.ts';
import { commitOf, commitRows, entity, graph, HEAD, tweet, user } from './graph-fixture.ts';

test('an entity is described as of the checkpoint, and a newer one without a vector', async () => {
  const store = graph();
  const [a, b, newer] = [entity(user('a'), 4, { updates: 2 }), entity(tweet('b'), 5), entity(user('c'), 6)];
  await commitRows(store, {
    entities: [a, b],
    vectors: { 4: [3, 4, 1, 0.5], 5: [6, 8, 1, Number.POSITIVE_INFINITY] },
  });
  await store.commit(commitOf({ head: { ...HEAD, commit: 2, step: 99 }, entities: [newer] }));
  expect(await describeEntity(store, a)).toEqual({
    description: {
      ...{ entity: 'user:a', at: 0, edges: {}, firstSeen: 1000, lastSeen: 1000, updates: 2 },
      ...{ step: 7, norm: 5, drift: 0.5, nearest: { tweet: [{ entity: 'tweet:b', score: 1 }] } },
    },
    vector: Float32Array.of(3, 4),
  });
  expect((await describeEntity(store, b)).description.drift).toBeNull();
  const { description, vector } = await describeEntity(store, newer);
  expect(description).toMatchObject({ step: 7, norm: 0, nearest: {} });
  expect(vector).toEqual(Float32Array.of(0, 0));
});
