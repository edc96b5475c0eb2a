import { describe, expect, test } from 'vitest';
import { WriteBatch } from '../../../src/graph/store.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { scanned } from '../../graph/store-conformance.ts';
import { keptLog } from '../faulty-sink.ts';
import { MemoryImage } from '../memory-image.ts';
import { MemoryLog } from '../memory-log.ts';
import { copyOf } from '../store-copy.ts';
import { caughtUp, graphStore, updater } from '../updater-fixture.ts';

/** Follows among few, some of them undone, likes, and an erasure: rows that are no entity's any more. */
function tell(log: MemoryLog, from: number, until: number): void {
  for (let n = from; n < until; n++) {
    const [a, b] = [`u${(n * 7) % 23}`, `u${(n * 5 + 1) % 19}`];
    const action = n % 9 === 8 ? 'unfollow' : 'follow';
    log.append('twhin.follow', { followerId: a, followedId: b, action, at: 1_000 * n });
    log.append('twhin.engagement', { userId: a, tweetId: `t${n % 40}`, action: 'like', at: 1_000 * n });
    if (n % 50 === 30) log.append('twhin.erasure', { entity: `user:u${n % 19}`, at: 1_000 * n + 500 });
  }
}

/** What an updater leaves that was told so much. */
async function left(events: number) {
  const [log, store, image] = [new MemoryLog(), new MemoryStore(), new MemoryImage()];
  tell(log, 0, events);
  await caughtUp(log, store, { image });
  return { log, store, image };
}

describe('an image', () => {
  test('starts an updater as the store does: what follows is the same, byte for byte', async () => {
    const [log, other] = [new MemoryLog(), new MemoryLog()];
    const [store, plain] = [new MemoryStore(), new MemoryStore()];
    const image = new MemoryImage();
    for (const [from, until] of [
      [0, 60],
      [60, 61],
      [61, 200],
    ] as const) {
      tell(log, from, until);
      await caughtUp(log, store, { image });
      tell(other, from, until);
      await caughtUp(other, plain);
      const [held, expected] = [store, plain].map((each) => scanned(each.scan(Buffer.alloc(0))));
      expect(await held).toEqual(await expected);
    }
    expect(image.asked).toEqual([true, true]);
    expect(log.published).toEqual(other.published);
  });

  test('is removed once the store is written, and written again at the end', async () => {
    const { log, store, image } = await left(10);
    const first = image.held;
    expect(first?.head).toEqual(await graphStore(store).headBytes());
    const seen: boolean[] = [];
    log.onHandOver = () => seen.push(image.held === undefined);
    tell(log, 10, 40);
    await caughtUp(log, store, { image });
    expect(seen.at(-1)).toBe(true);
    expect(image.held).toBeDefined();
    expect(image.held).not.toBe(first);
  });

  test('of another head is not read', async () => {
    const { log, store, image } = await left(10);
    const { held } = image;
    tell(log, 10, 20);
    await caughtUp(log, store);
    image.held = held;
    tell(log, 20, 30);
    await caughtUp(log, store, { image });
    expect(image.asked).toEqual([false]);
  });

  test('a failure to write the image is logged, and the run ends well', async () => {
    const log = new MemoryLog();
    const image = new MemoryImage();
    image.write = () => Promise.reject(new Error('no space left'));
    const kept = keptLog();
    tell(log, 0, 10);
    await caughtUp(log, new MemoryStore(), { image, log: kept });
    const said = kept.lines.map(({ message }) => message).filter((message) => message.includes('image'));
    expect(said).toEqual(['could not leave an image to start from: the next start takes longer']);
  });

  test.each([
    ['an entity', 0x6e, /holds \d+ entities \(/],
    ['an edge', 0x65, /holds \d+ live edges \(/],
  ])('does not hide that the store lost %s', async (_, kind, message) => {
    const { log, store, image } = await left(40);
    const lost = new WriteBatch();
    for (const { key } of await Array.fromAsync(store.scan(Buffer.of(kind)))) lost.delete(key);
    await store.write(lost);
    // Counted before anything is written and, where there is a view, beside it.
    const before = updater(log, store, { image });
    await expect(before.run()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringMatching(message),
    });
    const running = updater(log, store, { image, view: await copyOf(store) });
    await expect(running.run()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringMatching(message),
    });
    expect(image.asked).toEqual([true, true]);
  });

  test('a view of the store that fails to close is reported', async () => {
    const { log, store, image } = await left(40);
    const view = await copyOf(store);
    view.close = () => Promise.reject(new Error('it would not close'));
    await expect(updater(log, store, { image, view }).run()).rejects.toThrow('it would not close');
    // Nor where there was nothing to count.
    await expect(updater(log, store, { view }).run()).rejects.toThrow('it would not close');
  });

  test('a run stops at once while the store is still being counted', async () => {
    const { log, store, image } = await left(40);
    const view = await copyOf(store);
    const running = updater(log, store, { image, view });
    const ended = running.run();
    await new Promise((resolve) => setImmediate(resolve));
    running.stop();
    await ended;
    expect(image.held).toBeDefined();
  });
});
