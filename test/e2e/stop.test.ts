import { beforeEach, expect, inject, test } from 'vitest';
import { deployed } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { endsOf, lagOf } from './topic-ends.ts';
import { fold, readTopic } from './topic-reader.ts';
import { type Running, type Twhin, until } from './twhin.ts';

const RATE = 500;
let twhin: Twhin;

beforeEach(async () => {
  twhin = await deployed();
  await twhin.ok(['topics', 'apply']);
});

/** Feeds for as long as the test lasts, at a rate that an updater keeps up with. */
function steadyFeed(): Running {
  const events = Array.from({ length: 60 * RATE }, (_, n) =>
    JSON.stringify({ userId: n % 300, tweetId: n % 1000, action: 'like', at: 1_704_067_200_000 + n }),
  );
  const args = ['feed', '-', '--topic', 'engagement', '--rate', String(RATE)];
  return twhin.start(args, { stdin: events.join('\n') });
}

const consumed = async () => (await readStore(twhin, 'engagement', true)).head?.events.consumed ?? 0;

test('a run that is stopped while events come in ends with everything it read committed and published', async () => {
  const brokers = inject('brokers');
  const feed = steadyFeed();
  const run = twhin.start(['run', '--graph', 'engagement']);
  await until('events of every user', async () => {
    const head = (await readStore(twhin, 'engagement', true)).head;
    return (head?.events.consumed ?? 0) > RATE && head?.entities.user === 300;
  });
  // While it runs, both answer, of the last commit; stdout is JSON and nothing else.
  const stats = Object(await twhin.json(['stats', '--graph', 'engagement', '--digest'])).graphs.engagement;
  expect(stats.events.consumed).toBeGreaterThan(RATE);
  expect(stats.entities.user).toBe(300);
  const shown = Object(await twhin.json(['show', 'user:7', '--graph', 'engagement']));
  expect(shown.vector).toHaveLength(16);
  expect(shown.edges.likes.out).toBeGreaterThan(0);

  run.kill('SIGTERM');
  expect(await run.ended).toMatchObject({ code: 0, signal: null, stdout: '' });
  expect(run.stderr).toContain('stopping');
  feed.kill('SIGTERM');
  const fed = await feed.ended;
  expect(fed.code).toBe(1);
  expect(fed.stderr).toMatch(/stopped after line \d+/);

  const { head, vectors } = await readStore(twhin, 'engagement');
  expect(head).toMatchObject({ outbox: 0, entities: { user: 300 } });
  const positions = Object.values(head?.positions[twhin.topic('engagement')] ?? {});
  const read = positions.reduce((sum, { offset }) => sum + offset, 0);
  expect(head?.events.consumed).toBe(read);
  const ends = [...(await endsOf(brokers, twhin.topic('engagement'))).values()].reduce((a, b) => a + b, 0);
  // What the next one starts from.
  expect(run.stderr).toContain('left a checkpoint to start from');
  expect(await lagOf(brokers, `${twhin.prefix}engagement`, [twhin.topic('engagement')])).toBe(ends - read);
  const topic = fold(await readTopic(brokers, twhin.topic('embeddings.engagement')));
  expect(topic.size).toBe(vectors.size);
  expect(unlike(vectors, topic)).toEqual([]);

  // And on from there to the end, nothing lost and nothing twice.
  const next = twhin.start(['run', '--graph', 'engagement', '--until-caught-up']);
  expect((await next.ended).code).toBe(0);
  expect(next.stderr).not.toContain('journal trained');
  expect(await consumed()).toBe(ends);
});
