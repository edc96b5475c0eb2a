import { expect, test } from 'vitest';
import { statusAt } from './answers.ts';
import { deployed, follows } from './deployed.ts';
import { until } from './twhin.ts';

const RUN = ['run', '--graph', 'follow', '--http', '127.0.0.1:0'];
/** The value of each line of metrics text that names all of `parts`. */
function valuesOf(text: string, ...parts: string[]): number[] {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#') && parts.every((part) => line.includes(part)))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

test('twhin run --http says it is not ready until it reads, and then what its store and the topics say', async () => {
  const here = await deployed();
  await here.ok(['topics', 'apply']);
  await here.feed('follow', follows(0, 400, Date.now()));
  await here.ok(['feed', '-', '--topic', 'follow', '--raw'], { stdin: '{"broken\n{}\n' });
  const running = here.start(RUN);
  const url = await running.url();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const first = await fetch(`${url}/readyz`);
  if (first.status === 503)
    expect(await first.json()).toMatchObject({ ready: false, graphs: [{ graph: 'follow', ready: false }] });
  await until('it is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
  const metrics = async () => (await fetch(`${url}/metrics`)).text();
  await until('all is applied and published', async () => {
    const text = await metrics();
    const lag = valuesOf(text, 'twhin_lag_records', 'follow"');
    return (
      valuesOf(text, 'twhin_events_consumed_total')[0] === 402 &&
      lag.length > 0 &&
      lag.every((records) => records === 0) &&
      (valuesOf(text, 'twhin_vectors_published_total')[0] ?? 0) >= 401 &&
      valuesOf(text, 'twhin_outbox_vectors')[0] === 0
    );
  });
  const text = await metrics();
  expect(valuesOf(text, 'twhin_edges{', 'relation="follows"')).toEqual([400]);
  expect(valuesOf(text, 'twhin_entities{', 'type="user"')).toEqual([401]);
  expect(valuesOf(text, 'twhin_events_rejected_total').reduce((sum, each) => sum + each, 0)).toBe(2);
  expect(valuesOf(text, 'twhin_rows_free')[0]).toBeGreaterThan(0);
  expect(valuesOf(text, 'twhin_store_bytes')[0]).toBeGreaterThan(0);
  // Each entity was named by an event, which arrived, and happened, before its vector was acknowledged.
  const arrived = valuesOf(text, 'twhin_arrival_latency_seconds_count')[0];
  expect(arrived).toBeGreaterThanOrEqual(401);
  expect(valuesOf(text, 'twhin_event_latency_seconds_count')[0]).toBe(arrived);
  for (const name of ['batch', 'step', 'commit', 'publish']) {
    expect([name, valuesOf(text, `twhin_${name}_duration_seconds_count`)[0]]).toEqual([
      name,
      expect.toSatisfy((count: number) => count > 0),
    ]);
  }

  const told = await statusAt(url);
  expect(told.graphs).toMatchObject([
    { graph: 'follow', ready: true, phase: 'running', events: { consumed: 402, rejected: 2 } },
  ]);
  expect(told.graphs[0]?.edges).toMatchObject({ follows: 400 });

  await running.stop();
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
