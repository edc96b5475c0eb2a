import { expect, test } from 'vitest';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from './memory-log.ts';
import { expectTopicEqualsStore, graphStore, updater } from './updater-fixture.ts';

/** Tweets that are liked, a few at a time, and erased a little later. */
function tweets(count: number, kept: number): MemoryLog {
  const log = new MemoryLog();
  for (let n = 0; n < count; n++) {
    for (const user of [n % 7, n % 11, n % 13])
      log.append('twhin.engagement', { userId: `u${user}`, tweetId: `t${n}`, action: 'like', at: 1_000 + n });
    if (n >= kept) log.append('twhin.erasure', { entity: `tweet:t${n - kept}`, at: 1_000 + n });
  }
  return log;
}

test('rows of erased entities are used again: more entities come and go than the table has rows', async () => {
  const log = tweets(2_500, 20);
  const store = new MemoryStore();
  // The table has 1,000 rows.
  const running = updater(log, store);
  await running.run({ untilCaughtUp: true });
  const { rows, freeRows, entities } = running.progress();
  expect(entities).toEqual({ user: 13, tweet: 20 });
  expect(rows).toBeLessThan(100);
  // Relations have rows as well; what the last commits freed is not free yet.
  expect(rows - freeRows).toBeLessThan(rows);
  await expectTopicEqualsStore(log, store);
  const head = await graphStore(store).head();
  expect(head?.rows).toBe(rows);
});
