import { describe, expect, test } from 'vitest';
import { checkStore } from '../../../src/graph/check/check.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { MemoryLog } from '../memory-log.ts';
import { EMBEDDINGS, expectTopicEqualsStore, graphStore, updater } from '../updater-fixture.ts';

/** A store as a kill leaves it that comes when all of its vectors are acknowledged, and no commit could say so yet. */
async function killed(log: MemoryLog): Promise<MemoryStore> {
  for (let i = 0; i < 20; i++) {
    const value = { followerId: `a${i}`, followedId: `a${i + 1}`, action: 'follow', at: 1_000 + i };
    log.append('twhin.follow', value);
  }
  const store = new MemoryStore();
  const running = updater(log, store);
  const plain = store.write.bind(store);
  store.write = async (batch) => {
    if (vectors(log).length > 0) throw new Error('killed');
    await plain(batch);
  };
  await expect(running.run({ untilCaughtUp: true })).rejects.toThrow('killed');
  store.write = plain;
  return store;
}

const parts = (store: MemoryStore) => Array.fromAsync(graphStore(store).outboxParts());
const vectors = (log: MemoryLog) => log.published.filter(({ topic }) => topic === EMBEDDINGS);

async function endsWell(log: MemoryLog, store: MemoryStore): Promise<void> {
  await updater(log, store).run({ untilCaughtUp: true });
  await expectTopicEqualsStore(log, store);
  expect(await graphStore(store).head()).toMatchObject({ outbox: 0, outboxParts: 0 });
  expect(await parts(store)).toEqual([]);
  expect((await checkStore(graphStore(store))).findings).toEqual([]);
}

describe('the outbox of an updater', () => {
  test('that was killed is sent once more, under the same steps, and goes', async () => {
    const log = new MemoryLog();
    const store = await killed(log);
    const waiting = await Array.fromAsync(graphStore(store).outbox());
    expect(waiting.length).toBeGreaterThan(10);
    expect(await graphStore(store).head()).toMatchObject({ outbox: waiting.length, outboxParts: 1 });
    expect((await checkStore(graphStore(store))).findings).toEqual([]);
    const before = vectors(log);
    await endsWell(log, store);
    const after = vectors(log).slice(before.length);
    for (const { key, value, headers } of before) {
      const again = after.find((each) => each.key === key);
      expect([key, again?.headers['step'], again?.value]).toEqual([key, headers['step'], value]);
    }
  });
});
