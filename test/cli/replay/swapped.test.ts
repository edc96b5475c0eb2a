import { expect, test } from 'vitest';
import { waitingSince } from '../../../src/cli/replay/swapped.ts';
import { commitOf, entity, graph, HEAD, part, user } from '../../graph/graph-fixture.ts';

test('what waits since a store took over is what did not move after, and tombstones', async () => {
  const store = graph();
  const [before, at, after, quiet] = [user('before'), user('at'), user('after'), user('quiet')];
  const put = (row: number, step: number) =>
    store.commit(commitOf({ head: { ...HEAD, step }, vectors: { [row]: [1, 2, 3, 4] } }));
  await put(4, 6);
  await put(5, 7);
  await put(6, 8);
  await put(7, 6);
  await store.commit(
    commitOf({
      entities: [entity(before, 4), entity(at, 5), entity(after, 6), entity(quiet, 7)],
      outboxAdded: [part(1, before, at), part(2, after, before, user('erased'))],
    }),
  );
  expect(await waitingSince(store, 7)).toBe(3);
  await store.commit(commitOf({ outboxCleared: [part(1), part(2)], outboxAdded: [part(3, after)] }));
  expect(await waitingSince(store, 7)).toBe(0);
});
