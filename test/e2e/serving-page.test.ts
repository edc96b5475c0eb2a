import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { entityKey } from '../../src/graph/entity.ts';
import { readServingPage } from '../../src/pages/page-files.ts';
import type { ServedStatus } from '../../src/serve/answers.ts';
import { openLists } from '../adapters/http/lists.ts';
import { graphOf, surfacesOf, T0, tweet, user } from '../serve/serve-fixture.ts';
import { barriers, brokenWords, noBrowser, pages } from './browser.ts';

const HOSTILE = '<script>document.title="taken"</script>';
const LONG = 'x'.repeat(240);

describe.skipIf(noBrowser() !== undefined)('the page of twhin serve in a browser', () => {
  const open = pages();

  test('says how far the reading is, that there is nobody, that it is stale, and that it is gone', async () => {
    const relations = [{ name: 'likes', lhs: 'user', rhs: 'tweet' }];
    const graph = graphOf({ relations, unready: () => unready });
    let unready = ['g: 43 % of the vectors are read'];
    let staleSince: number | null = null;
    const status = (): ServedStatus => ({
      graph: 'g',
      reasons: unready,
      relations: [...graph.relations],
      surfaces: [{ name: 'home', from: ['user'], to: 'tweet' }],
      space: 'a',
      step: 1,
      staleSince,
      vectorsAsOf: T0,
      eventsAsOf: T0,
      eventsSince: 0,
      vectors: { user: graph.spaces.current?.table('user')?.size ?? 0 },
      read: { vectors: unready.length > 0 ? 0.43 : 1, events: 1 },
    });
    const server = await openLists(graph, {
      page: await readServingPage(),
      status: () => [status()],
      isReady: () => unready.length === 0,
      // As a demo has: everybody is of one group.
      actions: {
        kinds: [{ name: 'like', type: 'tweet' }],
        add: (http) => {
          http.post('/demo/groups', (request) => {
            const { entities } = z.object({ entities: z.array(z.string()) }).parse(request.body);
            return { groups: Object.fromEntries(entities.map((entity) => [entity, ['jazz']])) };
          });
        },
      },
    });
    onTestFinished(() => server.stop());
    const { page, problems } = await open(server.url, { width: 390 });
    await page.getByText('Reading: g: 43 % of the vectors are read').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.715');
    unready = [];
    await page.getByText('Live: 0 vectors of g').waitFor();
    await page.getByRole('heading', { name: 'No entity yet' }).waitFor();
    expect(await page.locator('#similar').isVisible()).toBe(false);
    expect(await barriers(page)).toEqual([]);

    // The first user that has a vector is chosen; names with markup and long ones are text, and fit.
    for (const [i, id] of [HOSTILE, LONG, 'c'].entries()) graph.put(tweet(id), [i, 0]);
    graph.relate('likes', [0, 0]);
    graph.edges(user(1), 'likes', [tweet('c')]);
    graph.put(user(1), [0, 0]);
    await page.getByRole('heading', { name: 'user:1' }).waitFor();
    await page.getByRole('button', { name: `tweet:${HOSTILE}`, exact: true }).waitFor();
    await page.getByText(`tweet:${LONG}`, { exact: true }).first().waitFor();
    expect(await page.locator('#lists section:not(#list-home)').count()).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);

    // What comes is marked, and its group can be read on the mark.
    graph.put(tweet('new'), [0, 0]);
    await page.locator('#list-home li.came .tag.own').waitFor();
    expect(await barriers(page)).toEqual([]);

    // The fourth list has the nearest to what is clicked.
    await page
      .getByRole('button', { name: `tweet:${HOSTILE}`, exact: true })
      .first()
      .click();
    await page.locator('#similar').getByText(`tweet:${LONG}`, { exact: true }).waitFor();
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
    await page.getByRole('textbox', { name: 'Entity', exact: true }).fill('y'.repeat(300));
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByText(/^entity: id of 300 bytes/).waitFor();
    expect(await page.locator('#list-home li').count()).toBe(3);
    await server.stop();
    await page.getByText('twhin serve does not answer').first().waitFor();
    expect(await barriers(page)).toEqual([]);
  });

  test('asks for any entity: its surfaces, lists by relation, neighbours and ranks', async () => {
    const relations = [
      { name: 'buys', lhs: 'customer', rhs: 'product' },
      { name: 'views', lhs: 'customer', rhs: 'product' },
      { name: 'wears', lhs: 'customer', rhs: 'brand' },
      { name: 'session-views', lhs: 'session', rhs: 'product' },
    ];
    const graph = graphOf({ name: 'shop', relations });
    const of = (type: string, id: string | number) => entityKey(type, `${id}`);
    const surfaces = [{ name: 'for-you', from: ['customer'], to: 'product' }];
    graph.put(of('customer', 1), [0, 0]);
    graph.put(of('session', 's-1'), [9, 0]);
    for (let i = 1; i <= 9; i++) graph.put(of('product', i), [i, 0]);
    for (let i = 1; i <= 2; i++) graph.put(of('brand', i), [i, 0]);
    for (const { name, lhs, rhs } of relations)
      graph.relate(name, [name === 'views' ? 8 : 0, 0], { lhs, rhs });
    graph.edges(of('customer', 1), 'buys', [of('product', 1)]);
    const { current } = graph.spaces;
    const server = await openLists(graph, {
      page: await readServingPage(),
      surfaces: surfacesOf(graph, { surfaces }),
      status: () => [
        {
          ...{ graph: 'shop', reasons: [], relations, surfaces, space: 'a', step: 1, staleSince: null },
          ...{ vectorsAsOf: T0, eventsAsOf: T0, eventsSince: 0, read: { vectors: 1, events: 1 } },
          vectors: Object.fromEntries(
            (current?.types ?? []).map((type) => [type, current?.table(type)?.size ?? 0]),
          ),
        },
      ],
    });
    onTestFinished(() => server.stop());
    for (const width of [390, 1280]) {
      const { page, problems } = await open(server.url, { width });
      await page.getByRole('heading', { name: 'customer:1' }).waitFor();
      const headings = () => page.locator('#lists h2').allTextContents();
      await expect.poll(headings).toEqual(['For you', 'Brand']);
      const listed = (card: string) => page.locator(`#${card} li .name`).allTextContents();
      await expect.poll(() => listed('list-for-you')).toContain('product:2');
      // By buys alone, product 2 is first; product 1 was bought. By views, product 8 is.
      await page.locator('#list-for-you').getByLabel('By').selectOption('views');
      await expect.poll(async () => (await listed('list-for-you'))[0]).toBe('product:8');
      expect(await listed('list-for-you')).not.toContain('product:1');

      await page.locator('#list-for-you').getByRole('button', { name: 'product:8', exact: true }).click();
      await expect.poll(async () => (await listed('similar')).sort()).toContain('product:9');
      await page.getByLabel('Entities, one on a line').fill('product:3\nproduct:2\nproduct:99');
      await page.locator('#rank').getByRole('button', { name: 'Rank', exact: true }).click();
      await page.getByText('Without a vector: product:99.').waitFor();
      expect(await listed('rank')).toEqual(['product:2', 'product:3']);
      expect(await page.locator('#search').isVisible()).toBe(false);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      expect(await barriers(page)).toEqual([]);

      // Another type has lists of its own; a link leads to any entity.
      await page.getByRole('textbox', { name: 'Entity', exact: true }).fill('session:s-1');
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByRole('heading', { name: 'session:s-1' }).waitFor();
      await expect.poll(headings).toEqual(['Product']);
      await expect.poll(async () => (await listed('to-product'))[0]).toBe('product:9');
      expect(new URL(page.url()).hash).toBe('#session%3As-1');
      await page.getByLabel('Type').selectOption('customer');
      await page.getByRole('button', { name: 'Some entity' }).click();
      await page.getByRole('heading', { name: 'customer:1' }).waitFor();
      // Types without lists of their own have neighbours.
      await page.getByLabel('Type').selectOption('brand');
      await page.getByRole('button', { name: 'Some entity' }).click();
      await page.getByRole('heading', { name: /^brand:/ }).waitFor();
      await expect.poll(async () => (await listed('similar')).length).toBe(1);
      const colour = (id: string) =>
        page.evaluate(`getComputedStyle(document.querySelector('${id}')).backgroundColor`);
      expect(await colour('#live')).not.toBe(await colour('#random'));
      await page.getByRole('button', { name: 'Live' }).click();
      await page.getByText('Paused: ').waitFor();
      await page.getByText('What the words mean').click();
      await page.getByText('A higher score is better').waitFor();
      expect(await barriers(page)).toEqual([]);
      expect(problems).toEqual([]);

      await page.getByRole('textbox', { name: 'Entity', exact: true }).fill('customer:nobody');
      await page.getByRole('button', { name: 'Show' }).click();
      await page.getByText('No event has named it').waitFor();
      await page.getByRole('link', { name: 'openapi.json' }).click();
      await page.getByText('/v1/candidates').first().waitFor();
      await page.close();

      const { page: wrong } = await open(`${server.url}/#nobody:1`, { width });
      await wrong.getByText('entity: expected TYPE:ID of customer').waitFor();
      expect(await wrong.locator('#similar').isVisible()).toBe(false);
      expect(await wrong.locator('#headline').getAttribute('data-level')).toBe('wait');
      await wrong.close();
    }
  });
});
