import { afterEach, expect, inject, test } from 'vitest';
import { statusAt } from './answers.ts';
import { Twhin, until } from './twhin.ts';

const USERS = 40;
const CONFIG = 'model: { dim: 16 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { shards: 2 } },';

let twhin: Twhin | undefined;
afterEach(async () => {
  await twhin?.remove();
  twhin = undefined;
});

const likes = (from: number) =>
  Array.from({ length: USERS }, (_, i) => ({
    userId: `u${i}`,
    tweetId: `${(from + i) % 30}`,
    action: 'like',
    at: 1_700_000_000_000 + from * 1_000 + i,
  }));

/** Samples of a metrics text whose names begin with this, without the label of the graph. */
async function samples(url: string, begin: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(begin));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at).replace(/graph="engagement",?/, ''), Number(line.slice(at + 1))];
    }),
  );
}

test('the processes of shards divide the routing, say how it is, and take over what a killed one had', async () => {
  const here = await Twhin.create(inject('brokers'), CONFIG);
  twhin = here;
  await here.ok(['topics', 'apply']);
  await here.feed('engagement', likes(0));
  await here.ok(['feed', '-', '--topic', 'engagement', '--raw'], { stdin: '{"broken\n{"broken\n' });
  const start = async (shard: number) => {
    const run = here.start(['run', '--graph', `engagement-${shard}`, '--http', '127.0.0.1:0']);
    return { run, url: await run.url() };
  };
  const first = await start(0);
  await until('all is routed', async () => {
    const [router] = (await statusAt(first.url)).routers;
    return router?.events === USERS + 2 && router.lag.every((each) => each.records === 0);
  });
  const shown = await samples(first.url, 'twhin_router_');
  expect(shown).toMatchObject({
    'twhin_router_ready{}': 1,
    'twhin_router_events_total{}': USERS + 2,
    [`twhin_router_rejected_total{topic="${here.topic('engagement')}",reason="not-json"}`]: 2,
    [`twhin_router_rejected_total{topic="${here.topic('engagement')}",reason="empty-id"}`]: 0,
    'twhin_router_retries_total{}': 0,
  });
  const partitions = Object.keys(shown).filter((name) => name.startsWith('twhin_router_lag_records')).length;
  expect(partitions).toBeGreaterThan(1);
  expect(shown['twhin_router_partitions{}']).toBe(partitions);
  expect(shown['twhin_router_sent_total{}']).toBeGreaterThan(USERS);

  const second = await start(1);
  const own = async (url: string) =>
    (await samples(url, 'twhin_router_partitions'))['twhin_router_partitions{}'] ?? 0;
  await until('each has a part', async () => {
    const parts = [await own(first.url), await own(second.url)];
    return parts.every((part) => part > 0) && parts[0]! + parts[1]! === partitions;
  });
  // The shards met nothing foreign and rejected nothing: that was the router's.
  for (const { url } of [first, second]) {
    expect(Object.values(await samples(url, 'twhin_routed_unreadable_records_total'))).toEqual([0]);
    expect((await statusAt(url)).graphs.map(({ events }) => events.rejected)).toEqual([0]);
  }
  first.run.kill('SIGKILL');
  await until('the other has all', async () => (await own(second.url)) === partitions);
  await until('the other shard has what concerns it', async () => {
    const [graph] = (await statusAt(second.url)).graphs;
    return graph !== undefined && Object.values(graph.edges).some((count) => count > 0);
  });
  second.run.kill('SIGTERM');
  expect((await second.run.ended).code).toBe(0);
});
