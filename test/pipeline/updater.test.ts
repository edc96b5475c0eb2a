import { describe, expect, it, vi } from 'vitest';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from './memory-log.ts';
import {
  caughtUp,
  EMBEDDINGS,
  expectTopicEqualsStore,
  FOLLOW,
  follow,
  graphStore,
  IN_TIME,
  MODEL_TOPIC,
  TUNING,
  updater,
} from './updater-fixture.ts';

describe('Updater', () => {
  it("publishes a shard's vectors under the name of the whole graph, and stores them under its own", async () => {
    const log = new MemoryLog();
    log.append(FOLLOW, follow('a', 'b', 1000));
    const store = new MemoryStore();
    await caughtUp(log, store, { shard: { graph: 'whole', index: 0, count: 2 } });
    const topics = log.published.map(({ topic }) => topic);
    expect(topics).toEqual(expect.arrayContaining([EMBEDDINGS, MODEL_TOPIC]));
    expect(new Set(log.published.map(({ headers }) => headers['graph']))).toEqual(new Set(['whole']));
    expect((await graphStore(store).head())?.graph).toBe('test');
  });

  it('bounds the records read ahead of training', async () => {
    const log = new MemoryLog();
    for (let i = 0; i < 400; i++)
      log.append(FOLLOW, follow(`u${i % 37}`, `v${(i * 7) % 53}`, 1000 + i), { partition: i % 3 });
    const running = updater(log, new MemoryStore(), { handOver: 10, pace: { queueBytes: 2000 } });
    const held: number[] = [];
    let pauses = 0;
    log.onHandOver = (room) => {
      held.push(running.progress().queue.bytes);
      if (!room) pauses++;
    };
    await running.run({ untilCaughtUp: true });
    expect(pauses).toBeGreaterThan(10);
    // The bound, and one hand-over of ten records of under 300 bytes.
    expect(Math.max(...held)).toBeLessThan(2000 + 10 * 300);
    expect(running.progress().events.consumed).toBe(400);
  });

  it('sees that it is behind though few records fit into what is read ahead, and publishes no vector again and again', async () => {
    const log = new MemoryLog();
    const padding = 'x'.repeat(4_000);
    for (let i = 0; i < 3_600; i++) {
      const event = { ...follow(`u${i % 37}`, `v${(i * 7) % 53}`, 1_000 + i), padding };
      log.append(FOLLOW, event, { timestamp: Date.now() - 20_000 });
    }
    // A reading has 600 records, 2.5 MB. No clock makes a commit due.
    const tuning = { ...TUNING, epsilon: 0, lingerMs: 5, commitMs: 600_000, commitEdges: 32 };
    const running = updater(log, new MemoryStore(), { tuning, handOver: 600, clock: Date.now });
    await running.run({ untilCaughtUp: true });
    expect(running.progress().events).toMatchObject({ consumed: 3_600, rejected: 0 });
    const vectors = log.published.filter(({ topic }) => topic === EMBEDDINGS);
    // Nothing is known of the lag until the first reading is applied. Then each waits for the end.
    const commits = Math.ceil(600 / tuning.commitEdges) + 4;
    expect(vectors.length).toBeLessThan(commits * (37 + 53));
  }, 60_000);

  it('publishes vectors that were held back while it caught up, though no record follows', async () => {
    const log = new MemoryLog();
    const timestamp = Date.now() - 20_000;
    // Of three readings the second is applied while another waits; the third repeats what came, and trains nothing.
    for (let i = 0; i < 3 * 1_024; i++) {
      const [from, to] = i < 2_048 ? [`u${i % 37}`, `v${(i * 7) % 53}`] : ['u0', 'v0'];
      log.append(FOLLOW, follow(from, to, i < 2_048 ? 1_000 + i : 1_000), { timestamp });
    }
    const store = new MemoryStore();
    const tuning = { ...TUNING, epsilon: 0, lingerMs: 5, commitMs: 5, commitEdges: 32 };
    const running = updater(log, store, { tuning, handOver: 3_072, clock: Date.now });
    const ended = running.run();
    await vi.waitFor(() => expect(running.progress().events.consumed).toBe(3_072), IN_TIME);
    // Where training takes long, the first checkpoint lacks some of it, and the next comes ten seconds later.
    await vi.waitFor(() => expectTopicEqualsStore(log, store), { ...IN_TIME, interval: 100 });
    running.stop();
    await ended;
  }, 60_000);
});
