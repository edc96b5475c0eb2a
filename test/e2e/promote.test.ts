import { expect, inject, test } from 'vitest';
import { connect } from '../../src/adapters/connect.ts';
import { deployed } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { fold, type TopicRecord } from './topic-reader.ts';
import { until } from './twhin.ts';

const follows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ followerId: `u${from + i}`, followedId: `u${from + i + 1}`, action: 'follow' },
    at: 1_700_000_000_000 + from + i,
  }));

/** Every record of a topic, partition by partition. */
async function recordsOf(brokers: string, topic: string): Promise<TopicRecord[]> {
  const log = await connect({ brokers: [brokers], clientId: 'apart' });
  const reader = log.log();
  const found: TopicRecord[] = [];
  const ranges = await reader.ranges([topic]);
  const reading = await reader.read(
    ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, until: high })),
  );
  for (const cursor of reading.cursors) {
    for (let records = await cursor.next(); records !== undefined; records = await cursor.next()) {
      for (const { partition, offset, key, value, headers = {} } of records) {
        const texts = Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]);
        found.push({ topic, partition, offset, key: String(key), value, headers: Object.fromEntries(texts) });
      }
    }
  }
  await reader.close();
  await log.close();
  return found;
}

/** Keys whose steps or epochs fall somewhere, with both. */
function falling(records: readonly TopicRecord[]): string[] {
  const last = new Map<string, { step: number; epoch: number }>();
  const found: string[] = [];
  for (const { key, headers } of records) {
    const now = { step: Number(headers['step']), epoch: Number(headers['epoch']) };
    const before = last.get(String(key));
    if (before && (now.step < before.step || now.epoch < before.epoch)) {
      found.push(`${key}: ${JSON.stringify(before)}, then ${JSON.stringify(now)}`);
    }
    last.set(String(key), now);
  }
  return found;
}

test('a promotion under a running updater publishes what differs, loses nothing, and goes back', async () => {
  const brokers = inject('brokers');
  const here = await deployed();
  const graph = ['--graph', 'follow'];
  await here.ok(['topics', 'apply']);
  await here.feed('follow', follows(0, 300));
  const running = here.start(['run', ...graph]);
  const rests = (store: string, events: number) =>
    until(`${events} events in ${store}, all published`, async () => {
      const { head } = await readStore(here, 'follow', true, store);
      return head?.events.consumed === events && head.outbox === 0;
    });
  await rests('main', 300);
  const replay = ['replay', ...graph, '--into', 'shadow', '--set', 'dim=8'];
  expect(await here.json(replay)).toMatchObject({ events: 300 });
  await here.feed('follow', follows(300, 100));
  // The same command goes on to the present end of the topic, and has nothing to do after that.
  expect(await here.json(replay)).toMatchObject({ events: 400, edges: { follows: 400 } });
  expect((await here.end(replay)).stderr).toMatch(/shadow was finished at .*; nothing was read again/);
  await here.feed('follow', follows(400, 50));

  const promote = (...args: string[]) => here.json(['promote', ...args, ...graph]);
  const promoted = (store: string, previous: string, behind: number) => ({
    graph: 'follow',
    store,
    stores: [{ graph: 'follow', previous, behind }],
    elsewhere: [],
  });
  expect(await promote('shadow')).toEqual(promoted('shadow', 'main', 50));
  await rests('shadow', 450);
  const back = await promote('--rollback');
  expect(back).toMatchObject({ store: 'main', stores: [{ previous: 'shadow' }] });
  await here.feed('follow', follows(450, 50));
  await rests('main', 500);
  await running.stop();

  const stored = await readStore(here, 'follow');
  expect(stored.edges).toHaveLength(500);
  expect(stored.vectors.get('user:u0')).toHaveLength(16 * 4);
  const records = await recordsOf(brokers, here.topic('embeddings.follow'));
  expect(unlike(stored.vectors, fold(records))).toEqual([]);
  expect(falling(records)).toEqual([]);
  expect(new Set(records.map(({ headers }) => headers['dim']))).toEqual(new Set(['16', '8']));
  expect(new Set(records.map(({ headers }) => headers['epoch'])).size).toBe(3);
});
