import { afterEach, expect, inject, test } from 'vitest';
import { readinessReport, routersStatus, status } from '../../src/adapters/http/status.ts';
import { Twhin, until } from './twhin.ts';

const SHARDS = 2;
const USERS = 40;
const CONFIG = `model: { dim: 16 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { shards: ${SHARDS}, routed: true } },`;

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

test('twhin route makes the topics, routes what shards with --no-router learn, and says how it is', async () => {
  const here = await Twhin.create(inject('brokers'), CONFIG);
  twhin = here;
  const http = ['--http', '127.0.0.1:0'];
  const route = here.start(['route', '--graph', 'engagement', '--create-topics', ...http]);
  const url = await route.url();
  const ready = async () =>
    readinessReport.parse(await (await fetch(`${url}/readyz`)).json()).graphs[0]?.ready;
  await until('the router is ready', async () => (await ready()) === true);

  await here.feed('engagement', likes(0));
  await here.ok(['feed', '-', '--topic', 'engagement', '--raw'], { stdin: '{"broken\n{"broken\n' });
  const run = here.start(['run', '--graph', 'engagement', '--no-router', ...http]);
  const runUrl = await run.url();
  const graphs = async () => status.parse(await (await fetch(`${runUrl}/api/status`)).json());
  await until('both shards have what concerns them', async () => {
    const shown = (await graphs()).graphs;
    const edges = shown.flatMap((graph) => Object.values(graph.edges));
    return shown.length === SHARDS && edges.reduce((sum, count) => sum + count, 0) > USERS;
  });

  await until('all is routed', async () => {
    const { routers } = routersStatus.parse(await (await fetch(`${url}/api/status`)).json());
    const [router] = routers;
    return (
      router !== undefined && router.events === USERS + 2 && router.lag.every((each) => each.records === 0)
    );
  });
  const shown = await samples(url, 'twhin_router_');
  expect(shown).toMatchObject({
    'twhin_router_ready{}': 1,
    'twhin_router_events_total{}': USERS + 2,
    [`twhin_router_rejected_total{topic="${twhin.topic('engagement')}",reason="not-json"}`]: 2,
    [`twhin_router_rejected_total{topic="${twhin.topic('engagement')}",reason="empty-id"}`]: 0,
    'twhin_router_retries_total{}': 0,
  });
  const partitions = Object.keys(shown).filter((name) => name.startsWith('twhin_router_lag_records'));
  expect(partitions.length).toBeGreaterThan(1);
  expect(shown['twhin_router_partitions{}']).toBe(partitions.length);
  expect(shown['twhin_router_sent_total{}']).toBeGreaterThan(USERS);

  // The shards' process routes nothing itself, met nothing foreign, and rejected nothing: that was the router's.
  expect(await samples(runUrl, 'twhin_router_')).toEqual({});
  expect((await graphs()).routers).toEqual([]);
  expect(Object.values(await samples(runUrl, 'twhin_routed_unreadable_records_total'))).toEqual([0, 0]);
  expect((await graphs()).graphs.map(({ events }) => events.rejected)).toEqual([0, 0]);

  // Without the option the process joins in, and the two divide the partitions.
  run.kill('SIGTERM');
  expect((await run.ended).code).toBe(0);
  const both = here.start(['run', '--graph', 'engagement', ...http]);
  const bothUrl = await both.url();
  const own = async () =>
    (await samples(bothUrl, 'twhin_router_partitions'))['twhin_router_partitions{}'] ?? 0;
  const left = async () => (await samples(url, 'twhin_router_partitions'))['twhin_router_partitions{}'] ?? 0;
  await until('each has a part', async () => (await own()) > 0 && (await left()) > 0);
  await until('they have all', async () => (await own()) + (await left()) === partitions.length);

  // The other takes over what a killed router had.
  route.kill('SIGKILL');
  await until('it has all', async () => (await own()) === partitions.length);
  both.kill('SIGTERM');
  expect((await both.ended).code).toBe(0);
});
