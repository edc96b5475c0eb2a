import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { entityAt, statusAt } from './answers.ts';
import { barriers, lookUp, noBrowser, openBrowser, openPage, shows } from './browser.ts';
import { readTopic } from './topic-reader.ts';
import { Twhin, until } from './twhin.ts';

const HOSTILE = '<script>document.title="taken"</script>';
const now = Date.now();

function vectorOf(value: Buffer | null): number[] {
  return Array.from({ length: (value?.length ?? 0) / 4 }, (_, k) => value?.readFloatLE(4 * k) ?? 0);
}

describe.skipIf(noBrowser() !== undefined)('the entity view', () => {
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

  test('shows edges, the nearest entities and the published vector, before and after a restart', async () => {
    const here = await Twhin.create(inject('brokers'));
    twhin = here;
    await here.ok(['topics', 'apply']);
    // The entity's own name must not matter to the page.
    const entity = `user:${HOSTILE}`;
    const follows = (from: number) =>
      Array.from({ length: 40 }, (_, i) => ({
        followerId: HOSTILE,
        followedId: `u${from + i}`,
        action: 'follow',
        at: now + from + i,
      }));
    await here.feed('follow', follows(0));
    const first = here.start(['run', '--graph', 'follow', '--http', '127.0.0.1:0']);
    const url = await first.url();
    const { page, problems } = await openPage(browser, url);
    await shows(page, 'events in all', '40');
    const outboxIsEmpty = async (published: number) => {
      const [graph] = (await statusAt(url)).graphs;
      return (graph?.published ?? 0) >= published && graph?.outbox === 0;
    };
    await until('every vector is published', () => outboxIsEmpty(41));

    const view = () => entityAt(url, 'follow', entity);
    const { step: firstStep } = await view();
    let fed = 40;
    while ((await view()).step === firstStep) {
      await here.feed('follow', follows(fed));
      fed += 40;
      await shows(page, 'events in all', String(fed));
    }
    await until('every vector is published', () => outboxIsEmpty(fed + 1));
    const found = await view();
    expect(found.edges['follows']).toMatchObject({ out: fed, in: 0 });
    expect(found.edges['follows']?.some).toHaveLength(10);
    expect(found.nearest['user']).toHaveLength(10);

    // The view's vector is the newest one on the topic, or has moved from there by the drift at most.
    const records = await readTopic(inject('brokers'), here.topic('embeddings.follow'));
    const published = records.filter(({ key }) => key === entity).at(-1);
    expect(Number(published?.headers['step'])).toBeLessThanOrEqual(found.step);
    const length = Math.hypot(...vectorOf(published?.value ?? null));
    expect(Math.abs(length - found.norm)).toBeLessThan(found.drift + 1e-5);

    for (const [width, scheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      const other = await openPage(browser, url, { width, scheme });
      await shows(other.page, 'events in all', String(fed));
      await lookUp(other.page, entity);
      await shows(other.page, 'moved at step', found.step.toLocaleString('en-US'));
      expect(await other.page.getByText('Nearest: user').count()).toBe(1);
      expect(await barriers(other.page)).toEqual([]);
      expect(await other.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      expect(other.problems).toEqual([]);
    }
    expect([problems, await page.title()]).toEqual([[], 'twhin-stream']);

    first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    const second = here.start(['run', '--graph', 'follow', '--http', new URL(url).host]);
    await second.says(/"msg":"leads the graph"/);
    expect(await view()).toMatchObject({ step: found.step, edges: found.edges, norm: found.norm });
    second.kill('SIGTERM');
    expect((await second.ended).code).toBe(0);
  });
});
