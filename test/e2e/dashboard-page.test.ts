import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpOptions, serveHttp } from '../../src/adapters/http/server.ts';
import type { GraphStatus } from '../../src/adapters/http/status.ts';
import { entityKey, parseEntityKey } from '../../src/graph/entity.ts';
import { readDashboard } from '../../src/pages/page-files.ts';
import { barriers, brokenWords, lookUp, noBrowser, pages, shows } from './browser.ts';

const HOSTILE = '<script>document.title="taken"</script>';
const LONG = 'watched-to-the-end-with-friends'.repeat(8);
const FAULT = `no broker answers at broker-1.example:9092 for twhin.embeddings.engagement; 6592 wait; asked of ${LONG}`;
const now = Date.now();

describe.skipIf(noBrowser() !== undefined)('the dashboard of a made-up graph in a browser', () => {
  const open = pages();

  test('shows a million entities and two hundred relations with names that contain markup', async () => {
    const relations = Array.from({ length: 200 }, (_, i) => `${HOSTILE}${i}`);
    const server = await serveHttp(await madeUp(relations));
    onTestFinished(() => server.stop());
    const { page, problems } = await open(server.url);
    await shows(page, 'entities', '1,000,000');
    await shows(page, 'live edges', '2,000,000,000');
    await shows(page, 'routing for follow', '12 partitions');
    await shows(page, 'waiting', '77');
    await page.getByRole('table', { name: 'Dead letters of the routing' }).waitFor({ timeout: 60_000 });
    await page.getByText('3,000', { exact: true }).first().waitFor({ timeout: 60_000 });
    await page.getByText(/^600 entities of 1 type by/).waitFor();
    await page
      .getByText(relations[199] ?? '', { exact: true })
      .first()
      .waitFor();
    // Means of too few edges, and means of enough edges.
    expect(await page.getByText('0.300 of 7', { exact: true }).count()).toBe(200);
    expect(await page.getByText('0.300', { exact: true }).count()).toBe(200);
    // A warning is no error, and comes before the dead letters.
    await shows(page, 'last error', 'none');
    await page.getByText(/^warn: no broker answers at broker-1.example:9092 .* 6,592 wait;/).waitFor();
    expect(await page.locator('#safe h3').allTextContents()).toEqual(['Warnings and errors', 'Dead letters']);
    expect(await page.locator('h2').first().textContent()).toBe('Entity');
    await page.getByText('What the words mean').click();
    await page.getByText('Mean of 1/rank').waitFor();
    expect(await page.title()).toBe('twhin-stream');
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    expect(await barriers(page)).toEqual([]);
    expect(problems).toEqual([]);
  });

  test('an address that names no graph shows the first', async () => {
    const server = await serveHttp(await madeUp(['likes']));
    onTestFinished(() => server.stop());
    const { page, problems } = await open(`${server.url}/#%`);
    await shows(page, 'live edges', '10,000,000');
    expect(problems).toEqual([]);
  });

  test.each([1280, 1024, 390])('breaks no word and no number in two, %i points wide', async (width) => {
    const server = await serveHttp(await madeUp(['promotes', 'likes', LONG]));
    onTestFinished(() => server.stop());
    const { page, problems } = await open(server.url, { width });
    await shows(page, 'live edges', '30,000,000');
    for (const summary of ['Lag by partition', 'Newest dead letters']) await page.getByText(summary).click();
    await page.getByRole('button', { name: 'Show their content' }).click();
    await page.getByText('wrong-shape', { exact: true }).last().waitFor();
    await lookUp(page, `user:${LONG}`);
    await page.getByText('cosine').waitFor();
    expect(await brokenWords(page)).toEqual([]);
    expect(problems).toEqual([]);
  });
});

/** A server with a made-up graph. */
async function madeUp(relations: readonly string[]): Promise<HttpOptions> {
  const each = <T>(value: T) => Object.fromEntries(relations.map((relation) => [relation, value]));
  const quality = { count: 99, mrr: 0.3, hits10: 0.5, popularityMrr: 0.1, randomMrr: 0.01 };
  const graph: GraphStatus = {
    graph: 'follow-7',
    ready: true,
    phase: 'running',
    reasons: [],
    kernel: 'wasm',
    fingerprint: 'f',
    events: { consumed: 5e9, rejected: 9_876_543, duplicate: 0, late: 0 },
    rejectedBy: { 'twhin.follow': { 'wrong-shape': 9_876_543 } },
    lag: [{ topic: 'twhin.engagement', partition: 11, records: 9_876_543, seconds: 86_399 }],
    entities: { user: 1_000_000 },
    edges: each(10_000_000),
    step: 1,
    rows: 1_000_400,
    freeRows: 5,
    maxRows: 1_000_400,
    started: 0,
    committedStep: 1,
    trained: 1,
    loss: 4.2,
    lossByRelation: each(4.2),
    known: quality,
    fresh: quality,
    moved: { user: { mean: 0.1, p99: 0.5, norm: 1 } },
    published: 1,
    retries: 0,
    knownByRelation: each(quality),
    freshByRelation: each({ ...quality, count: 7 }),
    failures: {},
    outbox: 9_876_543,
    maxOutbox: 1e7,
    oldest: now - 5_000,
    committedAt: now,
    writer: { space: 's', epoch: 1 },
    queue: { records: 0, bytes: 0 },
    exchange: undefined,
    disk: { used: 123_456_789_012, free: 123_456_789_012, size: 1e12 },
    latencyMs: { p50: 900, p99: 2_000 },
    commits: 1,
  };
  const points = Array.from({ length: 600 }, (_, i) => ({ entity: `user:${HOSTILE}${i}`, x: i, y: -i }));
  return {
    host: '127.0.0.1',
    port: 0,
    page: await readDashboard(),
    failed: () => undefined,
    metrics: { contentType: 'text/plain', render: async () => '' },
    readiness: async () => ({ ready: true, graphs: [] }),
    status: async () => ({
      version: '1',
      now: Date.now(),
      startedAt: now,
      memoryBytes: 1,
      faults: [{ at: now - 90_000_000, level: 'warn', text: FAULT, times: 9_876_543 }],
      graphs: [graph],
      routers: [
        {
          graph: 'follow',
          ready: false,
          phase: 'routing',
          reasons: [`routed events are not acknowledged: ${HOSTILE}`],
          partitions: 12,
          events: 5e9,
          rejectedBy: { 'twhin.follow': { [HOSTILE]: 3_000 } },
          sent: 9e9,
          sentBytes: 1e12,
          retries: 4,
          lag: [{ topic: 'twhin.follow', partition: 3, records: 77 }],
        },
      ],
      headline: { level: 'ok', text: 'Healthy: vectors are 0.9 s behind' },
    }),
    views: {
      history: () => ({ at: [now - 5_000, now], curves: { loss: [4.3, 4.2] } }),
      rejected: () => [
        {
          ...{ code: 'wrong-shape', message: FAULT, topic: 'twhin.engagement', partition: 11 },
          ...{ offset: 9_876_543_210, timestamp: now, value: JSON.stringify({ user: LONG }) },
        },
      ],
      entity: async (_, entity) =>
        entity === 'user:nobody'
          ? undefined
          : {
              entity: parseEntityKey(entity),
              edges: Object.fromEntries(
                relations.map((relation) => [relation, { out: 9_876_543, in: 9_876_543, some: [] }]),
              ),
              ...{
                firstSeen: now - 90_000_000,
                lastSeen: now - 90_000_000,
                updates: 9_876_543,
                step: 9_876_543,
                at: now - 90_000_000,
              },
              ...{ norm: 1, drift: 0.1 },
              nearest: {
                user: [LONG, 'promotes'].map((id) => ({ entity: entityKey('user', id), score: 0.71 })),
              },
            },
      map: async () => ({ at: now, points }),
    },
  };
}
