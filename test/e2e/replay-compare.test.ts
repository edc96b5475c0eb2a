import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Random } from '../../src/sampling/random.ts';
import { SMALL, Twhin } from './twhin.ts';

let twhin: Twhin;
beforeAll(async () => {
  twhin = await Twhin.create(inject('brokers'), SMALL);
});
afterAll(() => twhin.remove());

/** Users of twenty circles, each liking tweets of its own circle: what a model can learn. */
function likes(count: number, seed: number): object[] {
  const random = Random.seeded(seed);
  return Array.from({ length: count }, (_, i) => {
    const user = random.below(400);
    const tweet = random.below(40) * 20 + (user % 20);
    return { userId: `${user}`, tweetId: `${tweet}`, action: 'like', at: 1_700_000_000_000 + i };
  });
}

test('says which of two replays is better on events that both held back', async () => {
  await twhin.ok(['topics', 'apply']);
  await twhin.feed('engagement', likes(10_000, 1));
  // The broker dates records by the millisecond: the first of the held-back ones is of a later one.
  const until = new Date(Date.now() + 1_000).toISOString();
  await expect.poll(() => Date.now() > Date.parse(until), { timeout: 5_000 }).toBe(true);
  await twhin.feed('engagement', likes(2_000, 2));

  const replay = (name: string, ...set: string[]) =>
    twhin.json(['replay', '--graph', 'engagement', '--until', until, '--into', name, ...set]);
  expect(await replay('good')).toMatchObject({ events: 10_000 });
  expect(await replay('poor', '--set', 'learningRate=0.00001')).toMatchObject({ events: 10_000 });

  const compare = ['compare', 'good', 'poor', '--graph', 'engagement'];
  expect(await twhin.json(compare)).toMatchObject({
    graph: 'engagement',
    better: 'A',
    a: { name: 'good', live: false, events: 10_000 },
    b: { name: 'poor', live: false, events: 10_000 },
    models: [],
    held: { records: 2_000 },
  });
  expect(await twhin.ok(compare)).toMatch(
    /\nA is better: MRR 0\.\d{3} against 0\.\d{3}, \+0\.\d{4} ± 0\.\d{4} /,
  );

  // The same settings again give the same vectors, whatever the run of training is called.
  await replay('again');
  expect(await twhin.json(['compare', 'good', 'again', '--graph', 'engagement'])).toMatchObject({
    better: null,
    quality: { difference: { mrr: 0, standardError: 0 } },
  });
});
