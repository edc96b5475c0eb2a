import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { DemoServing } from '../../demo/serving.ts';
import { connect } from '../../src/adapters/connect.ts';
import { loadConfig } from '../../src/config/load.ts';
import { READERS_SKIPPED, readBack } from '../cli/export/readers.ts';
import { barriers, noBrowser, openBrowser, openPage } from './browser.ts';
import { deployed } from './deployed.ts';
import { readStore } from './stored.ts';
import { type Running, type Twhin, until } from './twhin.ts';

const T0 = Date.UTC(2024, 4, 1);
const answer = z.object({
  items: z.array(
    z.object({
      entity: z.string(),
      score: z.number().nullable(),
      reason: z.object({ relation: z.string(), share: z.number(), near: z.string().optional() }).optional(),
    }),
  ),
  graph: z.string(),
  space: z.string(),
  step: z.number(),
  asOf: z.number(),
  staleSince: z.number().nullable(),
  fallback: z.literal('popular').nullable(),
  filtered: z.object({ seen: z.number(), blocked: z.number(), excluded: z.number() }),
  seenComplete: z.boolean(),
});

const recent = z.object({ items: z.array(z.object({ entity: z.string(), removed: z.boolean() })) });

const searched = answer.omit({ filtered: true, seenComplete: true }).extend({
  query: z.object({ graph: z.string(), known: z.boolean() }),
});

let twhin: Twhin;
beforeEach(async () => {
  twhin = await deployed();
  await twhin.ok(['topics', 'apply']);
});

let at = T0;
const like = (user: string, tweet: string, action = 'like') => ({
  userId: user,
  tweetId: tweet,
  action,
  at: ++at,
});
const follow = (follower: string, followed: string, action = 'follow') => ({
  followerId: follower,
  followedId: followed,
  action,
  at: ++at,
});
const USERS = 40;
const TWEETS = 30;
const ids = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** Two communities, a and b, which like and follow among themselves. */
function world() {
  const likes = [];
  const follows = [];
  for (let round = 0; round < 8; round++) {
    for (const community of ['a', 'b']) {
      for (const [i, user] of ids(community, USERS).entries()) {
        likes.push(like(user, `t${community}${(i * 7 + round * 11) % TWEETS}`));
        follows.push(follow(user, `${community}${(i * 3 + round * 5 + 1) % USERS}`));
      }
    }
  }
  return { likes, follows };
}

async function ask(url: string, path: string, body?: object) {
  const init = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const reply = await fetch(`${url}${path}`, init);
  return { status: reply.status, headers: reply.headers, json: (await reply.json()) as unknown };
}

async function listOf(url: string, query: string) {
  const { status, json } = await ask(url, `/v1/candidates?${query}`);
  expect([status, json]).toEqual([200, expect.anything()]);
  return answer.parse(json);
}

const entities = ({ items }: Pick<z.infer<typeof answer>, 'items'>) => items.map(({ entity }) => entity);
const ready = (url: string) =>
  until('serve is ready', async () => (await ask(url, '/readyz').catch(() => undefined))?.status === 200);

/** Waits until a list is as it should be. */
const seen = (url: string, query: string, fits: (list: string[]) => boolean) =>
  until(`${query} is as it should be`, async () => fits(entities(await listOf(url, query))));

async function serve(): Promise<{ running: Running; url: string }> {
  const running = twhin.start(['serve', '--http', '127.0.0.1:0']);
  const url = await running.url();
  await ready(url);
  return { running, url };
}

/** The page of `twhin serve`, which only shows, and that of a demo on the same topics, where a like changes the lists. */
async function onPages(url: string): Promise<void> {
  if (noBrowser() !== undefined) return;
  const browser = await openBrowser();
  const config = await loadConfig(twhin.env, twhin.folder);
  const connection = await connect(config.kafka);
  let serving: DemoServing | undefined;
  try {
    for (const [width, scheme] of [
      [1280, 'light'],
      [390, 'dark'],
    ] as const) {
      const { page, problems } = await openPage(browser, `${url}/#a1`, { width, scheme });
      await page.getByRole('heading', { name: 'user:a1' }).waitFor();
      for (const list of ['list-home', 'list-who-to-follow', 'similar'])
        await page.locator(`#${list} li`).nth(9).waitFor();
      expect(await page.locator('#list-home').textContent()).toMatch(/likes, near tweet:t/);
      await page.locator('#recent').getByText('follows: blocked').first().waitFor();
      expect(await page.locator('.act, .tag').count()).toBe(0);
      expect(await barriers(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      // By keyboard: another user, and what is near to one of the entities.
      await page.getByRole('textbox', { name: 'Entity', exact: true }).fill('nobody');
      await page.keyboard.press('Enter');
      await page.getByText('user:nobody has no vector for this yet: what is popular.').first().waitFor();
      await page.locator('#list-home .name').first().press('Enter');
      await page.getByText(/^The nearest to tweet:/).waitFor();
      await page.getByRole('textbox', { name: 'Query' }).fill('Jazz ');
      await page.keyboard.press('Enter');
      await page.getByText('Nobody searched “jazz”: what is popular.').waitFor();
      expect(problems.filter((problem) => !problem.includes('404'))).toEqual([]);
      await page.close();
    }
    serving = await DemoServing.begin({
      config,
      connection,
      port: 0,
      groupsOf: (entity) => [/^(user:|tweet:t)a/.test(entity) ? 'opera' : 'jazz'],
    });
    await serving.upToDate();
    const { page, problems } = await openPage(browser, `${serving.url}/#a1`);
    await page.getByText('in opera.').first().waitFor();
    const first = page.locator('#list-home .act').first();
    const tweet = String(await first.getAttribute('data-entity'));
    await first.press('Enter');
    await page.getByText(/: out of the list after .* visible in the vectors after/).waitFor();
    expect(await page.locator('#list-home .name').allTextContents()).not.toContain(tweet);
    await page.locator('#recent li', { hasText: tweet }).getByText('visible after').waitFor();
    // The button has left with its tweet: the focus is at the next one, not at the top of the page.
    expect(await page.evaluate("document.activeElement?.closest('#list-home') !== null")).toBe(true);
    expect(await barriers(page)).toEqual([]);
    expect(problems).toEqual([]);
    // It was an event like any other.
    await until('twhin serve knows of the like', async () => {
      const list = await listOf(url, 'surface=home&user=a1&k=200');
      return !entities(list).includes(tweet);
    });
  } finally {
    await serving?.stop();
    await connection.close();
    await browser.close();
  }
}

test('a new user, a block and an erasure show in the lists, what is taken back stays away, and so does an erased entity', async () => {
  const { likes, follows } = world();
  await twhin.feed('engagement', likes);
  await twhin.feed('follow', follows);
  await twhin.ok(['run', '--until-caught-up']);
  const updater = twhin.start(['run']);
  let { running, url } = await serve();

  // Nobody knows the user yet: what is popular, and said so.
  expect(await listOf(url, 'surface=home&user=new&k=5')).toMatchObject({ fallback: 'popular' });

  // Once the updater leads, five likes of one community.
  const liked = ids('ta', 5);
  await twhin.feed('engagement', [like('warm', 'tb1')]);
  await until(
    'the updater publishes',
    async () => (await listOf(url, 'surface=home&user=warm')).fallback === null,
  );
  await twhin.feed(
    'engagement',
    liked.map((tweet) => like('new', tweet)),
  );
  await seen(url, 'surface=home&user=new&k=20', (list) => {
    const ofCommunity = list.filter((entity) => entity.startsWith('tweet:ta')).length;
    return list.length === 20 && ofCommunity >= 10 && !liked.some((tweet) => list.includes(`tweet:${tweet}`));
  });
  const explained = await listOf(url, 'surface=home&user=new&k=3&explain=true');
  expect(explained).toMatchObject({ fallback: null, graph: 'engagement', filtered: { seen: 5 } });
  for (const { reason } of explained.items) {
    expect(reason).toMatchObject({ relation: 'likes', share: 1 });
    expect(liked.map((tweet) => `tweet:${tweet}`)).toContain(reason?.near);
  }

  // An unliked tweet stays left out, also of a list that has room for all.
  const ofNew = 'surface=home&user=new&k=100';
  const removedOf = async (user: string) => {
    const { items } = recent.parse((await ask(url, `/v1/recent?user=${user}&k=100`)).json);
    return items.filter(({ removed }) => removed).map(({ entity }) => entity);
  };
  await twhin.feed('engagement', [like('new', liked[0]!, 'unlike')]);
  await until('the unlike is read', async () => (await removedOf('new')).includes(`tweet:${liked[0]}`));
  const afterUnlike = await listOf(url, ofNew);
  expect(entities(afterUnlike)).not.toContain(`tweet:${liked[0]}`);
  expect(afterUnlike).toMatchObject({ filtered: { seen: 5 }, seenComplete: true });

  // Users who are followed, blocked or unfollowed are in no list.
  const all = 'surface=who-to-follow&user=a1&k=200';
  const before = entities(await listOf(url, all));
  expect(before).not.toContain('user:a1');
  expect(before).toContain('user:b3');
  await twhin.feed('follow', [follow('a1', 'b3', 'block')]);
  await seen(url, all, (list) => !list.includes('user:b3'));
  const followed = follows
    .filter(({ followerId }) => followerId === 'a1')
    .map(({ followedId }) => followedId);
  await twhin.feed('follow', [follow('a1', followed[0]!, 'unfollow')]);
  await until('the unfollow is read', async () => (await removedOf('a1')).includes(`user:${followed[0]}`));
  expect(entities(await listOf(url, all)).filter((entity) => followed.includes(entity.slice(5)))).toEqual([]);
  // A block counts for the one who was blocked, too, until it ends.
  const ofBlocked = 'surface=who-to-follow&user=b3&k=200';
  expect(entities(await listOf(url, ofBlocked))).not.toContain('user:a1');
  await twhin.feed('follow', [follow('a2', 'b3', 'block')]);
  await seen(url, ofBlocked, (list) => !list.includes('user:a2'));
  await twhin.feed('follow', [follow('a2', 'b3', 'unblock')]);
  await seen(url, ofBlocked, (list) => list.includes('user:a2'));

  // Excluded entities never make a list shorter.
  const short = entities(await listOf(url, 'surface=home&user=new&k=10'));
  const without = await listOf(url, `surface=home&user=new&k=10&exclude=${short.join(',')}`);
  expect(without.items).toHaveLength(10);
  expect(entities(without).filter((entity) => short.includes(entity))).toEqual([]);
  const posted = await ask(url, '/v1/candidates', { surface: 'home', user: 'new', k: 10, exclude: short });
  expect(answer.parse(posted.json).items).toEqual(without.items);

  // An erased entity is gone, also for a process that starts later.
  const everybody = 'surface=home&user=new&k=200';
  const gone = [short[0]!];
  await twhin.feed('erasure', [{ entity: gone[0], at: ++at }]);
  await seen(url, everybody, (list) => !list.includes(gone[0]!));
  const back = async () => entities(await listOf(url, everybody)).filter((entity) => gone.includes(entity));
  running.kill('SIGKILL');
  await running.ended;
  ({ running, url } = await serve());
  expect(await back()).toEqual([]);
  for (const entity of gone) expect((await ask(url, `/v1/similar?entity=${entity}`)).status).toBe(404);
  // Nor when those who liked it like something else.
  const { step } = await listOf(url, everybody);
  await twhin.feed(
    'engagement',
    [...ids('a', 5), 'new'].map((user) => like(user, 'tb1')),
  );
  await until('what they liked is learned', async () => (await listOf(url, everybody)).step > step);
  expect(await back()).toEqual([]);
  // Users for a query: engagement knows who searched it, and follow has the vectors.
  await twhin.feed(
    'search',
    ids('a', 5).map((userId) => ({ userId, query: 'Opera tonight', at: ++at })),
  );
  const found = async (type: string) =>
    searched.parse((await ask(url, `/v1/search?q=opera%20TONIGHT&k=20&type=${type}`)).json);
  await until('the query has a vector', async () => (await found('user')).query.known);
  const users = await found('user');
  expect(users).toMatchObject({ graph: 'follow', fallback: null, query: { graph: 'engagement' } });
  expect(entities(users)).toHaveLength(20);
  expect(entities(users).filter((entity) => entity.startsWith('user:a')).length).toBeGreaterThan(10);
  expect(await found('tweet')).toMatchObject({ graph: 'engagement', query: { graph: 'engagement' } });
  await onPages(url);

  updater.kill('SIGTERM');
  running.kill('SIGTERM');
  expect([(await updater.ended).code, (await running.ended).code]).toEqual([0, 0]);
});

test('after a promotion the new space is served as a whole, and no list mixes the two', async () => {
  const { likes } = world();
  await twhin.feed('engagement', likes);
  await twhin.ok(['run', '--graph', 'engagement', '--until-caught-up']);
  const updater = twhin.start(['run', '--graph', 'engagement']);
  const running = twhin.start(['serve', '--graph', 'engagement', '--http', '127.0.0.1:0']);
  const url = await running.url();
  await ready(url);
  const query = 'surface=home&user=a1&k=20';
  const old = await listOf(url, query);
  expect(old.items).toHaveLength(20);

  // Other vectors of the same entities, trained from another seed.
  await twhin.ok(['replay', '--graph', 'engagement', '--into', 'again', '--set', 'training.seed=99']);
  const promoted = twhin.start(['promote', 'again', '--graph', 'engagement']);
  const lists: z.infer<typeof answer>[] = [];
  await until('the new space is served', async () => {
    const list = await listOf(url, query);
    if (JSON.stringify(list) !== JSON.stringify(lists.at(-1))) lists.push(list);
    return list.space !== old.space && promoted.over;
  });
  expect((await promoted.ended).code).toBe(0);
  expect(new Set(lists.map(({ space }) => space)).size).toBe(2);
  for (const { items, fallback } of lists) expect([items.length, fallback]).toEqual([20, null]);
  // The scores of the new list are those of the store that was promoted, not of a mixture.
  const last = await listOf(url, query);
  const { vectors, relations } = await readStore(twhin, 'engagement');
  const numbersOf = (bytes: Buffer | undefined) => new Float32Array(new Uint8Array(bytes ?? []).buffer);
  const [user, relation] = [numbersOf(vectors.get('user:a1')), numbersOf(relations.get('relation:likes'))];
  for (const { entity, score } of last.items) {
    const candidate = numbersOf(vectors.get(entity));
    let square = 0;
    for (let k = 0; k < candidate.length; k++) square += (user[k]! + relation[k]! - candidate[k]!) ** 2;
    expect(score).toBeCloseTo(-9 * Math.sqrt(square), 9);
  }
  expect((await ask(url, '/readyz')).json).toEqual({ ready: true, reasons: [] });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(metrics).toContain('twhin_serve_spaces{graph="engagement"} 1');
  updater.kill('SIGTERM');
  await updater.ended;
  // As Parquet, for some users.
  const users = join(twhin.folder, 'users.txt');
  await writeFile(users, 'a1\n\nuser:nobody\n');
  const table = join(twhin.folder, 'lists.parquet');
  const command = ['candidates', '--surface', 'home', '--graph', 'engagement', '--k', '20'];
  expect(await twhin.ok([...command, '--out', table, '--ids', users])).toBe(`2 lists in ${table}\n`);
  const bytes = await readFile(table, 'latin1');
  expect([bytes.slice(0, 4), bytes.slice(-4)]).toEqual(['PAR1', 'PAR1']);
  if (!READERS_SKIPPED) {
    const row = { fallback: null };
    const rows = last.items.map((item, i) => ({ ...row, ...item, from: 'user:a1', rank: i + 1 }));
    expect(readBack('lists', table)).toMatchObject({
      rows: 40,
      first: rows.slice(0, 4),
      last: [{ from: 'user:nobody', rank: 20, score: null, fallback: 'popular' }],
    });
  }
  const unwritable = await twhin.end([...command, '--out', join(table, 'lists.ndjson')]);
  expect([unwritable.code, unwritable.stderr]).toEqual([1, expect.stringContaining("can't be written")]);
  running.kill('SIGTERM');
  await running.ended;
});
