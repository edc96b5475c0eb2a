import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { serveVectors } from '../../src/adapters/http/serving.ts';
import { readServingPage } from '../../src/pages/page-files.ts';
import type { GraphStatus } from '../../src/serve/graph-status.ts';
import { Users } from '../../src/serve/users.ts';
import { graphOf, surfacesOf, T0, tweet, user } from '../serve/serve-fixture.ts';
import { barriers, brokenWords, noBrowser, openBrowser, openPage } from './browser.ts';

const HOSTILE = '<script>document.title="taken"</script>';
const LONG = 'x'.repeat(240);

describe.skipIf(noBrowser() !== undefined)('the page of twhin serve in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  test('says how far the reading is, that there is nobody, that it is stale, and that it is gone', async () => {
    const graph = graphOf({ relations: [{ name: 'likes', lhs: 'user', rhs: 'tweet' }] });
    let unready = ['g: 43 % of the vectors are read'];
    let staleSince: number | null = null;
    const status = (): GraphStatus => ({
      graph: 'g',
      surfaces: ['home'],
      space: 'a',
      step: 1,
      staleSince,
      vectorsAsOf: T0,
      eventsAsOf: T0,
      vectors: { user: graph.spaces.current?.table('user')?.size ?? 0 },
      read: { vectors: unready.length > 0 ? 0.43 : 1, events: 1 },
    });
    const server = await serveVectors({
      host: '127.0.0.1',
      port: 0,
      version: '1',
      surfaces: surfacesOf(graph),
      users: new Users({ graphs: [graph], random: () => 0 }),
      page: await readServingPage(),
      status: () => [status()],
      unready: () => unready,
      metrics: { contentType: 'text/plain', render: async () => '' },
      answered: () => undefined,
      failed: () => undefined,
      // As a demo has: everybody is of one group.
      actions: {
        names: ['like'],
        add: (http) => {
          http.post('/demo/groups', (request) => {
            const { entities } = z.object({ entities: z.array(z.string()) }).parse(request.body);
            return { groups: Object.fromEntries(entities.map((entity) => [entity, ['jazz']])) };
          });
        },
      },
    });
    try {
      const { page, problems } = await openPage(browser, server.url, { width: 390 });
      await page.getByText('Reading: g: 43 % of the vectors are read').waitFor();
      expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.715');
      unready = [];
      await page.getByText('Live: 0 vectors of g').waitFor();
      await page.getByRole('heading', { name: 'No user yet' }).waitFor();
      expect(await barriers(page)).toEqual([]);

      // The first user that has a vector is chosen; names with markup and long ones are text, and fit.
      for (const [i, id] of [HOSTILE, LONG, 'c'].entries()) graph.put(tweet(id), [i, 0]);
      graph.relate('likes', [0, 0]);
      graph.edges(user(1), 'likes', [tweet('c')]);
      graph.put(user(1), [0, 0]);
      await page.getByRole('heading', { name: 'user:1' }).waitFor();
      await page.getByRole('button', { name: `tweet:${HOSTILE}`, exact: true }).waitFor();
      await page.getByText(`tweet:${LONG}`, { exact: true }).first().waitFor();
      expect(await page.locator('#ads, #who-to-follow').filter({ visible: true }).count()).toBe(0);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);

      // What comes is marked, and its group can be read on the mark.
      graph.put(tweet('new'), [0, 0]);
      await page.locator('#home li.came .tag.own').waitFor();
      expect(await barriers(page)).toEqual([]);

      // The fourth list says what two tweets share.
      graph.edges(user(5), 'likes', [tweet(HOSTILE), tweet(LONG)]);
      await page
        .getByRole('button', { name: `tweet:${HOSTILE}`, exact: true })
        .first()
        .click();
      await page.locator('#similar').getByText('shared: user:5', { exact: true }).waitFor();
      for (const width of [1280, 1024, 390]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await brokenWords(page)).toEqual([]);
      }
      expect(await barriers(page)).toEqual([]);

      staleSince = Date.now();
      await page.getByText(/^The brokers are out of reach since/).waitFor();
      expect(await barriers(page)).toEqual([]);
      expect([await page.title(), problems]).toEqual(['! twhin serve', []]);

      // A wrong id is told beside the field, in words, and the lists stay.
      await page.getByRole('textbox', { name: 'User' }).fill('y'.repeat(300));
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByText(/^user: id of 300 bytes/).waitFor();
      expect(await page.locator('#home li').count()).toBe(3);
      await server.stop();
      await page.getByText('twhin serve does not answer').first().waitFor();
      expect(await barriers(page)).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});
