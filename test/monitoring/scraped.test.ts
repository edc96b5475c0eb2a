import { afterEach, describe, expect, test } from 'vitest';
import { Twhin } from '../e2e/twhin.ts';
import { freshFolder } from '../fresh-folder.ts';
import { Prometheus, there } from './prometheus.ts';
import { filled } from './promql.ts';
import { rules, shown } from './shipped.ts';

const now = Date.now();
/** Each user follows the user whose number is higher by `step`. */
const follows = (count: number, step: number) =>
  Array.from({ length: count }, (_, i) => ({
    followerId: `u${i}`,
    followedId: `u${i + step}`,
    action: 'follow',
    at: now + step,
  }));
/** Panels that stay empty without a second day, a firing alert, shards that train together, or routers. */
const LATER = [
  ...['MRR against the day before', 'Moves against the day before', 'Firing alerts'],
  ...['Since a shard was heard of', 'Edges that wait for a vector', 'Age of received vectors'],
  ...[
    'Gradients between shards',
    'Gradients between shards',
    'Vectors between shards',
    'Vectors between shards',
  ],
  ...['Bytes to other shards', 'Parcels of no use', 'Parcels of no use', 'Parcels of no use'],
  'Copies of other shards’ entities',
  ...['Vectors asked for'],
  ...['Events not routed yet', 'Partitions of each router', 'Routers that deliver'],
  ...['Events to the shards', 'Events to the shards', 'Bytes to the shards'],
  'Sends that routers repeated',
];
const IN_TIME = { timeout: 60_000, interval: 250 };

describe.skipIf(!there('prometheus'))(`a real Prometheus (${there.how})`, () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  test('reads the fed events, evaluates every rule, fills every panel, and sees the process die', async () => {
    const twhin = await Twhin.create(`file:${await freshFolder()}`);
    ends.push(() => twhin.remove());
    const broken = (count: number) =>
      twhin.ok(['feed', '-', '--topic', 'follow', '--raw'], { stdin: '{"broken\n'.repeat(count) });
    await twhin.ok(['topics', 'apply']);
    await twhin.feed('follow', follows(400, 1));
    await broken(2);
    const running = twhin.start(['run', '--graph', 'follow', '--http', '127.0.0.1:0']);
    await running.says(/"msg":"serving health and metrics"/);
    const { host } = new URL(/"url":"([^"]+)"/.exec(running.stderr)?.[1] ?? '');

    const serving = twhin.start(['serve', '--graph', 'follow', '--http', '127.0.0.1:0']);
    const served = await serving.url();
    const prometheus = await Prometheus.scraping({ twhin: host, 'twhin-serve': new URL(served).host });
    ends.push(() => prometheus.remove());
    // Repeated until the expectation holds, failed requests before Prometheus listens included.
    const says = (expr: string, value: string) =>
      expect.poll(() => prometheus.query(expr), IN_TIME).toEqual([value]);
    await says('up{job="twhin"}', '1');
    await says('up{job="twhin-serve"}', '1');
    await says('twhin_serve_caught_up{graph="follow"}', '1');
    await says('twhin_events_consumed_total{graph="follow"}', '402');

    // Edges between known users: they are ranked as known, and their vectors move.
    await twhin.feed('follow', follows(300, 7));
    await broken(3);
    await says('twhin_events_consumed_total', '705');
    await says('sum(twhin_events_rejected_total)', '5');
    await says('sum(twhin_events_rejected_total{reason="empty-id"})', '0');
    await says('twhin_outbox_limit_vectors', '262144');
    await says('count(twhin_publish_failures_total == 0)', '10');
    await says('twhin_edges{relation="follows"}', '700');
    await says('twhin_ready', '1');
    await says('twhin_serve_vectors{type="user"}', '401');
    // A rate needs requests between two scrapes.
    const asking = setInterval(() => void fetch(`${served}/v1/similar?entity=user:u1`), 500);
    ends.push(async () => clearInterval(asking));

    const fine = rules().map(({ record, alert }) => `${record ?? alert} ok`);
    await expect.poll(async () => (await prometheus.rules()).sort(), IN_TIME).toEqual(fine.sort());
    const empty = async () => {
      const asking = shown().flatMap(({ title, targets }) =>
        targets.map(async ({ expr }) => ({ title, values: await prometheus.query(filled(expr)) })),
      );
      return (await Promise.all(asking)).flatMap(({ title, values }) => (values.length > 0 ? [] : [title]));
    };
    await expect.poll(empty, IN_TIME).toEqual(LATER);

    running.kill('SIGKILL');
    await running.ended;
    await says('up{job="twhin"}', '0');
    await says('twhin_serve_caught_up', '1');
    await expect.poll(() => prometheus.alerts(), IN_TIME).toContain('TwhinDown pending');
  }, 180_000);
});
