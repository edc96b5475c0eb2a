import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { status } from '../../src/adapters/http/status.ts';
import { drift, entity as entityView, history } from '../../src/adapters/http/views.ts';
import { barriers, lookUp, noBrowser, openBrowser, openPage, shows } from './browser.ts';
import { readTopic } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

const HOSTILE = '<script>document.title="taken"</script>';
const now = Date.now();

function vectorOf(value: Buffer | null): number[] {
  return Array.from({ length: (value?.length ?? 0) / 4 }, (_, k) => value?.readFloatLE(4 * k) ?? 0);
}

function lengthOf(vector: readonly number[]): number {
  return Math.hypot(...vector);
}

describe.skipIf(noBrowser() !== undefined)('the drift of an entity', () => {
  let browser: Browser;
  let twhin: Twhin | undefined;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await twhin?.remove();
  });

  test('is kept from when it was looked up, is that of what was published, and outlives a restart', async () => {
    const here = await Twhin.create(inject('brokers'));
    twhin = here;
    await here.ok(['topics', 'apply']);
    // What it is called decides nothing.
    const entity = `user:${HOSTILE}`;
    const moving = (from: number) =>
      Array.from({ length: 40 }, (_, i) => ({
        ...{ followerId: HOSTILE, followedId: `u${from + i}`, action: 'follow', at: now + from + i },
      }));
    await here.feed('follow', moving(0));
    const first = here.start(['run', '--graph', 'follow', '--http', '127.0.0.1:0']);
    const url = await first.url();
    const { page, problems } = await openPage(browser, url);
    await shows(page, 'events in all', '40');
    await until('all are published', async () => {
      const [graph] = status.parse(await (await fetch(`${url}/api/status`)).json()).graphs;
      return (graph?.published ?? 0) >= 41;
    });
    const asked = new URLSearchParams({ graph: 'follow', id: entity });
    expect((await fetch(`${url}/api/drift?${asked}`)).status).toBe(404);
    await lookUp(page, entity);
    await page.getByText(/^Followed since .*: looking it up began its history/).waitFor();
    const kept = async () => drift.parse(await (await fetch(`${url}/api/drift?${asked}`)).json());
    let fed = 40;
    const movesUntil = async (points: number) => {
      while ((await kept()).points.length < points) {
        await here.feed('follow', moving(fed));
        fed += 40;
      }
    };
    await movesUntil(3);
    // A point of the curves before the last move, so that there is one to tell it from.
    await until('a point of the curves', async () => {
      await sleep(100);
      const curves = history.parse(await (await fetch(`${url}/api/history?graph=follow`)).json());
      return (curves.curves['step'] ?? []).some((step) => step !== null);
    });
    await movesUntil((await kept()).points.length + 1);
    const { since, points } = await kept();
    await page.getByText(/^Followed since .*: moved [4-9] times/).waitFor();
    await page.getByText('Publications that moved it').click();
    expect(await page.locator('#entity details tbody tr').count()).toBeGreaterThanOrEqual(4);

    const published = async () => {
      const records = await readTopic(inject('brokers'), here.topic('embeddings.follow'));
      return new Map(
        records
          .filter(({ key }) => key === entity)
          .map(({ headers, value }) => [Number(headers['step']), vectorOf(value)]),
      );
    };
    await until('its last vector', async () => (await published()).has(points.at(-1)?.step ?? 0));
    const vectors = await published();
    const known = points.filter(({ step }) => vectors.has(step));
    expect(known.length).toBeGreaterThan(1);
    for (const { step, norm } of known) expect(norm).toBeCloseTo(lengthOf(vectors.get(step) ?? []), 5);
    const [start, end] = [vectors.get(points[0]?.step ?? 0), vectors.get(points.at(-1)?.step ?? 0)];
    if (start && end) {
      const cosine = start.reduce((sum, value, k) => sum + value * (end[k] ?? 0), 0);
      expect(points.at(-1)?.cosine).toBeCloseTo(cosine / (lengthOf(start) * lengthOf(end)), 5);
      const apart = lengthOf(start.map((value, k) => value - (end[k] ?? 0)));
      expect(points.slice(1).reduce((sum, { move }) => sum + (move ?? 0), 0)).toBeGreaterThan(apart - 1e-5);
    }

    for (const [width, scheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      const other = await openPage(browser, url, { width, scheme });
      await shows(other.page, 'events in all', String(fed));
      await lookUp(other.page, entity);
      await other.page.getByText(/^Followed since .*: moved \d+ times/).waitFor();
      await other.page.getByText('Publications that moved it').click();
      expect(await barriers(other.page)).toEqual([]);
      expect(await other.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      expect(other.problems).toEqual([]);
    }
    expect([problems, await page.title()]).toEqual([[], 'twhin-stream']);

    const moved = async () =>
      entityView.parse(await (await fetch(`${url}/api/entity?${asked}`)).json()).movedBetween;
    await until('a point of the curves that has its step', async () => (await moved()).to !== undefined);
    const last = (await kept()).points.at(-1);
    expect((await moved()).to).toBeGreaterThanOrEqual(last?.at ?? Number.POSITIVE_INFINITY);
    expect((await moved()).from).toBeLessThan(last?.at ?? 0);
    first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    const stopped = Date.now();
    const second = here.start(['run', '--graph', 'follow', '--http', new URL(url).host]);
    await second.says(/"msg":"leads the graph"/);
    const after = await kept();
    expect([after.since, after.points.slice(0, points.length)]).toEqual([since, points]);
    await until('its step is known', async () => (await moved()).to !== undefined);
    expect((await moved()).from).toBeLessThan(stopped);
    second.kill('SIGTERM');
    expect((await second.ended).code).toBe(0);
  });
});
