import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createWorld, SPAN_MS, type WorldEvent, type WorldOptions } from '../../demo/world.ts';
import { BAD_KINDS } from '../../demo/world-bad.ts';

const UNTIL = Date.UTC(2026, 4, 1);
const OPTIONS: WorldOptions = { seed: 7, events: 20_000, users: 1000, communities: 10, until: UNTIL };

function digest(options: WorldOptions): string {
  const hash = createHash('sha256');
  for (const { topic, key, value } of createWorld(options).events) hash.update(`${topic}|${key}|${value}\n`);
  return hash.digest('hex');
}

interface Fields {
  readonly [name: string]: string | number;
}

/** The fields of a record; undefined if the record is not a JSON object. */
function read(event: WorldEvent): Fields | undefined {
  if (event.value === null) return undefined;
  try {
    const fields: unknown = JSON.parse(event.value.toString());
    return typeof fields === 'object' && fields !== null ? (fields as Fields) : undefined;
  } catch {
    return undefined;
  }
}

test('the same seed gives the same bytes, another seed gives other bytes', () => {
  expect(digest(OPTIONS)).toBe(digest(OPTIONS));
  expect(digest(OPTIONS)).not.toBe(digest({ ...OPTIONS, seed: 8 }));
});

test('the number of records is as asked for, and the counts add up to it: every action, and one bad record in a hundred of every kind', () => {
  const { truth, events } = createWorld(OPTIONS);
  const all = [...events];
  const { actions, bad, duplicates, late, erasures } = truth.counts;
  const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);
  expect(all.length).toBe(20_000);
  expect(sum(actions) + sum(bad) + duplicates + late + erasures).toBe(20_000);
  expect(all.filter(({ topic }) => topic === 'erasure').length).toBe(2);
  expect(all.filter(({ topic }) => topic === 'search').length).toBeGreaterThanOrEqual(actions['search'] ?? 0);
  const wanted =
    'ad-click block follow like mention quote reply retweet search unfollow unlike unretweet'.split(' ');
  expect(Object.keys(actions).sort()).toEqual(wanted);
  expect(Object.keys(bad).sort()).toEqual([...BAD_KINDS].sort());
  expect(sum(bad) / 20_000).toBeGreaterThan(0.007);
  expect(sum(bad) / 20_000).toBeLessThan(0.013);
});

test('times rise over the week before `until`, except for late records', () => {
  const { truth, events } = createWorld(OPTIONS);
  let newest = 0;
  let back = 0;
  for (const event of events) {
    if (event.topic !== 'follow') continue;
    const at = new Date(read(event)?.['at'] ?? Number.NaN).getTime();
    // A late record is up to an hour older than one of the last 256 records.
    expect(at).toBeGreaterThan(UNTIL - SPAN_MS - 3_700_000);
    expect(at).toBeLessThanOrEqual(UNTIL);
    if (at < newest) back++;
    newest = Math.max(newest, at);
  }
  expect(back).toBeGreaterThan(0);
  expect(back).toBeLessThanOrEqual(truth.counts.late + truth.counts.duplicates);
});

test('most follows and likes stay in the actor’s own communities, with the chance share far below', () => {
  const { truth, events } = createWorld(OPTIONS);
  const own = { follow: 0, like: 0 };
  const all = { follow: 0, like: 0 };
  const homes = new Map(truth.users);
  for (const event of events) {
    const fields = read(event);
    const action = fields?.['action'];
    const isFollow = event.topic === 'follow' && action === 'follow';
    const isLike = event.topic === 'engagement' && action === 'like';
    if (!isFollow && !isLike) continue;
    const target = isFollow
      ? homes.get(String(fields?.['followedId']))
      : truth.tweets.get(String(fields?.['tweetId']));
    if (target === undefined || !homes.has(event.key)) continue;
    const name = isFollow ? 'follow' : 'like';
    all[name]++;
    if (target === homes.get(event.key) || target === truth.second.get(event.key)) own[name]++;
  }
  // 85 % stay by intent, and some of the other 15 % reach their own community by chance; a follow with nobody left becomes a like.
  expect(own.follow / all.follow).toBeGreaterThan(0.8);
  expect(own.like / all.like).toBeGreaterThan(0.8);
});

test('an erased user no longer acts and is no longer followed', () => {
  const { truth, events } = createWorld(OPTIONS);
  const gone = new Set<string>();
  for (const event of events) {
    if (event.topic === 'erasure') {
      gone.add(event.key);
      continue;
    }
    expect(gone.has(event.key)).toBe(false);
    if (event.topic === 'follow') expect(gone.has(String(read(event)?.['followedId']))).toBe(false);
  }
  expect([...gone].sort()).toEqual([...truth.erased].sort());
  for (const user of gone) expect(truth.users.has(user)).toBe(false);
});
