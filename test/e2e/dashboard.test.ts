import { describe, expect, test } from 'vitest';
import { historyAt } from './answers.ts';
import { barriers, lookUp, noBrowser, pages, shows, tile } from './browser.ts';
import { deployed, follows } from './deployed.ts';
import { until } from './twhin.ts';

const missing = noBrowser();
if (missing !== undefined) process.stderr.write(`the dashboard is not tested in a browser: ${missing}\n`);

const HOSTILE = '<script>document.title="taken"</script>';
const now = Date.now();

describe.skipIf(missing !== undefined)('the dashboard in a browser', () => {
  const open = pages();

  test('shows the values of the metrics live, with ids that contain markup', async () => {
    const here = await deployed();
    await here.ok(['topics', 'apply']);
    const hostile = { followerId: HOSTILE, followedId: 'u1', action: 'follow', at: now };
    await here.feed('follow', [...follows(0, 300, now), hostile]);
    await here.ok(['feed', '-', '--topic', 'follow', '--raw'], { stdin: `${HOSTILE}\n` });
    const running = here.start(['run', '--graph', 'follow', '--http', '127.0.0.1:0']);
    const url = await running.url();
    const { page, problems } = await open(url);
    await shows(page, 'events in all', '302');
    await shows(page, 'dead letters', '1');
    await until('the headline is healthy', async () =>
      /^Healthy: (vectors are [\d.]+ s behind|up to date, idle for \d+ s)$/.test(
        (await page.locator('#headline').textContent()) ?? '',
      ),
    );
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const metric = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
    expect(await tile(page, 'entities')).toBe(String(metric('twhin_entities{graph="follow",type="user"}')));
    expect(await tile(page, 'live edges')).toBe(
      String(metric('twhin_edges{graph="follow",relation="follows"}')),
    );

    await here.feed('follow', follows(300, 100, now));
    await shows(page, 'events in all', '402');

    // Values are shown only on request, and their markup is text.
    await page.getByText('Newest dead letters').click();
    await page.getByText('not-json').first().waitFor();
    expect(await page.locator('body').textContent()).not.toContain('document.title');
    await page.getByRole('button', { name: 'Show their content' }).click();
    await page.getByText(HOSTILE, { exact: true }).first().waitFor();

    const near = page.locator('#entity td button').first();
    // Its vector is looked up in a checkpoint.
    await until('near entities', async () => {
      await lookUp(page, `user:${HOSTILE}`);
      return (await near.count()) > 0;
    });
    // A click on a near entity looks that entity up.
    await near.click();
    await until(
      'another entity',
      async () => !((await page.locator('#entity h3').first().textContent()) ?? HOSTILE).includes(HOSTILE),
    );
    await page.getByLabel('TYPE:ID').fill('user:nobody');
    await page.keyboard.press('Enter');
    await page.getByText('user:nobody in follow: there is no such graph or entity').waitFor();

    await page.getByText(/entities of 1 type by/).waitFor();
    expect(await page.title()).toBe('twhin-stream');
    // The lookup of user:nobody.
    expect(problems).toEqual([expect.stringContaining('404')]);
    for (const [width, scheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      const other = await open(url, { width, scheme });
      await shows(other.page, 'events in all', '402');
      expect(await barriers(other.page)).toEqual([]);
      expect(await other.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      expect(other.problems).toEqual([]);
    }
    await running.stop();
  });

  test('reports a killed process, and begins new curves after the restart', async () => {
    const here = await deployed();
    await here.ok(['topics', 'apply']);
    await here.feed('follow', follows(0, 50, now));
    const first = here.start(['run', '--graph', 'follow', '--http', '127.0.0.1:0']);
    const url = await first.url();
    const { page } = await open(url);
    await shows(page, 'events in all', '50');
    const killedAt = Date.now();
    first.kill('SIGKILL');
    await first.ended;
    await page.getByText('The updater does not answer').waitFor();
    await page.getByText(/^Not connected: trying again; the page shows the state of/).waitFor();

    const second = here.start(['run', '--graph', 'follow', '--http', new URL(url).host]);
    await page.getByText(/^Healthy/).waitFor();
    await until('new curves begin', async () => (await historyAt(url, 'follow')).at.length > 0);
    expect((await historyAt(url, 'follow')).at[0]).toBeGreaterThan(killedAt);
    second.kill('SIGTERM');
    await second.ended;
  });

  test('reports a missing broker and shows an empty store', async () => {
    const here = await deployed(undefined, '127.0.0.1:1');
    const running = here.start(['run', '--http', '127.0.0.1:0']);
    const { page, problems } = await open(await running.url());
    await page
      .getByText(/engagement: not ready: it is joining/)
      .first()
      .waitFor();
    await page
      .getByText(/no broker answers at 127\.0\.0\.1:1/)
      .first()
      .waitFor();
    await shows(page, 'entities', '0');
    await page.getByText('No entity yet.').waitFor();
    await page.getByRole('button', { name: 'follow' }).click();
    await until(
      'the other graph',
      async () =>
        (await page.getByRole('button', { name: 'follow' }).getAttribute('aria-pressed')) === 'true',
    );
    expect(await barriers(page)).toEqual([]);
    expect(problems).toEqual([]);
    running.kill('SIGTERM');
    await running.ended;
  });
});
