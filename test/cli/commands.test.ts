import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { configOf } from '../../src/config/load.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { openForReading, openForWriting } from '../../src/state/open.ts';
import { json, own, type Place, place, refused, succeeded } from './captured.ts';
import { fill } from './filled-place.ts';

const AT = 1_704_067_200_000;
const EVENTS = [
  ...[0, 1, 2].map((i) => ({ userId: `u${i}`, tweetId: 't', action: 'like', at: AT + i })),
  { userId: 'u0', tweetId: 't', action: 'like', at: AT },
  { userId: 'u1', tweetId: 't', action: 'unlike', at: AT + 50 },
  { userId: 'u1', tweetId: 't', action: 'like', at: AT + 40 },
  { userId: 'u0', tweetId: 's', action: 'retweet', at: AT + 9 },
];
/** The entities of the indented lines that follow the heading. */
function underHeading(lines: readonly string[], heading: string): string[] {
  const after = lines.slice(lines.indexOf(heading) + 1);
  const end = after.findIndex((line) => !line.startsWith('    '));
  return after.slice(0, end < 0 ? undefined : end).map((line) => line.trim().split(/ +/)[1] ?? '');
}

const ISO = (ms: number) => new Date(AT + ms).toISOString();

/** A place where a stream was fed and read. */
let here: Place;
beforeAll(async () => {
  here = await place();
  await fill(
    here,
    EVENTS.map((event) => JSON.stringify(event)),
  );
});
afterAll(() => here.remove());

describe('twhin stats', () => {
  test('--json has the shape that scripts rely on', async () => {
    const said = await here.run('stats', '--graph', 'engagement', '--json');
    expect([said.code, said.err]).toEqual([0, []]);
    expect(json(said)).toEqual({
      graphs: {
        engagement: {
          store: 'main',
          entities: { user: 3, tweet: 2, ad: 0, advertiser: 0, query: 0 },
          edges: {
            likes: 2,
            retweets: 1,
            replies: 0,
            quotes: 0,
            mentions: 0,
            clicks: 0,
            promotes: 0,
            searches: 0,
          },
          events: { consumed: 7, rejected: 0, duplicate: 1, late: 1 },
          step: expect.any(Number),
          outbox: 0,
          // How many partitions the users share is the partitioner's business.
          offsets: { 'twhin.engagement': expect.any(Object) },
          fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
        },
      },
    });
  });

  test('prints the same figures for a person', async () => {
    const { out, code } = await here.run('stats', '--graph', 'engagement', '--digest');
    const text = out.join('\n');
    expect(code).toBe(0);
    expect(text).toMatch(/entities +5: 3 user, 2 tweet/);
    expect(text).toMatch(/live edges +3: 2 likes, 1 retweets/);
    expect(text).toMatch(/events +7 consumed, 0 rejected, 1 duplicate, 1 late/);
    expect(text).toMatch(/outbox +0 vectors not yet acknowledged/);
    expect(text).toMatch(
      /digest +edges [0-9a-f]{16}, vectors [0-9a-f]{16} as of step [\d,]+, [\d.]+ \w+ ago/,
    );
  });
});

describe('twhin show', () => {
  test('--json has the edges by relation with their other ends, the exact vector and the nearest entities by type', async () => {
    const said = await here.run('show', 'user:u0', '--graph', 'engagement', '--json');
    expect([said.code, said.err]).toEqual([0, []]);
    const shown = json(said) as {
      vector: number[];
      norm: number;
      step: number;
      at: number;
      nearest: Record<string, { entity: string; score: number }[]>;
    };
    expect(shown).toMatchObject({
      entity: 'user:u0',
      graph: 'engagement',
      edges: {
        likes: { out: 1, in: 0, some: ['tweet:t'] },
        retweets: { out: 1, in: 0, some: ['tweet:s'] },
      },
      // The duplicate trained nothing.
      updates: 2,
    });
    const [graph] = configOf({}, { TWHIN_STATE: join(here.folder, 'state') }, here.folder).graphs;
    const store = (await openForReading(graph!))!;
    const record = await store.entity('user:u0' as Parameters<typeof store.entity>[0]);
    const [row] = await store.readRows([record?.row ?? 0]);
    const { step, at } = (await store.checkpoint())!.head;
    expect([shown.step, shown.at]).toEqual([step, at]);
    await store.close();
    expect(Float32Array.from(shown.vector)).toEqual(row?.subarray(0, 128));
    expect(shown.norm).toBeCloseTo(Math.hypot(...shown.vector), 6);
    const { user = [], tweet = [], ...others } = shown.nearest;
    expect(others).toEqual({});
    for (const [near, expected] of [
      [user, ['user:u1', 'user:u2']],
      [tweet, ['tweet:s', 'tweet:t']],
    ] as const) {
      expect(near.map(({ entity }) => entity).sort()).toEqual(expected);
      const scores = near.map(({ score }) => score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    }
  });

  test('counts only live edges, in both directions', async () => {
    expect(json(await here.run('show', 'tweet:t', '--json'))).toMatchObject({
      edges: { likes: { out: 0, in: 2, some: ['user:u0', 'user:u2'] } },
    });
    // u1's only edge was taken back.
    expect(json(await here.run('show', 'user:u1', '--json'))).toMatchObject({ edges: {}, updates: 1 });
  });

  test('prints the same edges, figures and nearest entities for a person', async () => {
    const { out, code } = await here.run('show', 'tweet:t');
    expect(code).toBe(0);
    expect(out[0]).toBe('tweet:t in engagement');
    expect(out.join('\n')).toMatch(/likes +0 out, 2 in: user:u0, user:u2$/m);
    expect(underHeading(out, '  nearest user').sort()).toEqual(['user:u0', 'user:u1', 'user:u2']);
    expect(underHeading(out, '  nearest tweet')).toEqual(['tweet:s']);
    expect(out.join('\n')).toContain(`first seen  ${ISO(0)}`);
    // The event that took an edge away is an event too.
    expect(out.join('\n')).toContain(`last seen   ${ISO(50)}`);
  });

  test('finds a query as it was typed', async () => {
    const said = /^twhin: \[unknown-entity\] query:higgs boson is not in engagement/;
    await refused(here.run('show', 'query:  Higgs   BOSON ', '--graph', 'engagement'), 1, said);
  });

  test('an unknown entity is a failure, and a text that is not a name is wrong usage', async () => {
    const unknown = await here.run('show', 'user:nobody', '--json');
    expect([unknown.code, unknown.out]).toEqual([1, []]);
    expect(unknown.err).toEqual([
      'no store yet: follow; twhin run makes it',
      'twhin: [unknown-entity] user:nobody is not in engagement: no event has named it there, or it was erased',
    ]);
    expect((await here.run('show', 'song:1')).code).toBe(1);
    for (const wrong of ['nobody', ':1', 'user:', `user:${'x'.repeat(257)}`]) {
      const { code, err } = await here.run('show', wrong);
      expect([wrong, code, err.length]).toEqual([wrong, 2, 1]);
    }
  });
});

describe('twhin run', () => {
  test('names the missing topics and the command that creates them', async () => {
    const there = await own(place());
    const { code, err, out } = await there.run('run', '--graph', 'follow', '--until-caught-up');
    expect([code, out]).toEqual([1, []]);
    expect(err.join('\n')).toMatch(/twhin\.follow.*twhin\.erasure.*twhin topics apply/s);
    const run = await there.run('run', '--until-caught-up', '--create-topics');
    expect([run.code, run.log.filter((line) => /"msg":"stopped"/.test(line)).length]).toEqual([0, 2]);
  });

  test('refuses a store in use, names the process that has it open, and closes the stores opened before', async () => {
    const [, follow] = configOf({}, { TWHIN_STATE: join(here.folder, 'state') }, here.folder).graphs;
    const holder = await openForWriting(follow!);
    try {
      await refused(
        here.run('run', '--until-caught-up'),
        1,
        /store of follow in .* is in use by another process \(process \d+ on .+, since 20.*\)/,
      );
      // The engagement graph was made before: its store is free again.
      await (await openRocksdb(join(here.folder, 'state/engagement/db'))).close();
    } finally {
      await holder.close();
    }
  });

  test('says that its address is taken, or is none, before it opens a store', async () => {
    const there = await own(place());
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const taken = `127.0.0.1:${Object(other.address()).port}`;
    const said = await refused(
      there.run('run', '--http', taken),
      1,
      `can't listen on ${taken}`,
      '--http off',
    );
    other.close();
    await refused(there.run('run', '--http', 'everywhere'), 2, 'seen "everywhere"');
    expect([said.log, existsSync(join(there.folder, 'state'))]).toEqual([[], false]);
  });

  test('refuses the store of another model and lists the differences', async () => {
    await writeFile(
      join(here.folder, 'other.config.ts'),
      `export default { model: { dim: 16, scorer: 'twhin' } }`,
    );
    await succeeded(here.run('run', '--graph', 'engagement', '--until-caught-up'));
    const other = await own(
      place({
        TWHIN_STATE: join(here.folder, 'state'),
        TWHIN_CONFIG: join(here.folder, 'other.config.ts'),
      }),
    );
    await other.run('topics', 'apply');
    await refused(
      other.run('run', '--graph', 'engagement', '--until-caught-up'),
      1,
      /dim: the store has 128, the configuration 16\n.*scorer: the store has transe-l2, the configuration twhin/,
    );
    const looked = await other.run('doctor');
    expect(looked.out.find((line) => line.includes('store engagement'))).toMatch(
      /^FAIL .*another model's .* dim: the store has 128, the configuration 16/,
    );
  });
});

describe('the folder of a store', () => {
  test('that cannot be written is named in the error, and the store is closed', async () => {
    const there = await own(place());
    await mkdir(join(there.folder, 'state/follow/holder.json'), { recursive: true });
    const argv = ['run', '--graph', 'follow', '--until-caught-up', '--create-topics'];
    const said = /^twhin: \[store-write\] .*state\/follow\/holder\.json can't be written: EISDIR.*$/;
    await refused(there.run(...argv), 1, said);
    await (await openRocksdb(join(there.folder, 'state/follow/db'))).close();
  });

  test('that is damaged is reported by every command that reads it, and by doctor', async () => {
    const there = await own(place());
    await there.run('run', '--graph', 'follow', '--until-caught-up', '--create-topics');
    const db = await openRocksdb(join(there.folder, 'state/follow/db'));
    const batch = new WriteBatch();
    batch.put(Buffer.from('m'), Buffer.from('{"format":'));
    await db.write(batch);
    await db.close();
    const looks = ['stats', 'doctor', 'run'].map((command) =>
      command === 'doctor' ? [command] : [command, '--graph', 'follow'],
    );
    for (const argv of looks) {
      const { code, err, out } = await there.run(...argv);
      expect([argv, code]).toEqual([argv, 1]);
      expect([...err, ...out].join('\n')).toMatch(
        /the store's head can't be read: .*; make the store again beside it: restore a backup/,
      );
    }
  });
});

describe('twhin doctor', () => {
  test('reports each check, and what to do when a check fails', async () => {
    const well = await here.run('doctor');
    expect(well.out.map((line) => line.slice(0, 24).trimEnd())).toEqual([
      'ok    configuration',
      'ok    Node',
      'ok    SIMD',
      'ok    RocksDB',
      'ok    brokers',
      'ok    topics',
      'ok    store engagement',
      'ok    store follow',
    ]);
    expect(well.out[0]).toMatch(/ \/.*\/twhin\.config\.ts, with the graphs engagement, follow$/);
    expect(well.out[2]).toMatch(
      /kernel wasm is wasm-(plain|relaxed)(-wide)?, in a replay wasm-(plain|relaxed)(-wide)? \(.+\)$/,
    );
    expect(well.code).toBe(0);
    const there = await own(place());
    const { code, out } = await there.run('doctor', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out.join('\n'))).toMatchObject({
      ok: false,
      findings: expect.arrayContaining([
        {
          what: 'topics',
          state: 'FAIL',
          detail: expect.stringMatching(
            /^missing: twhin\.engagement, .*; create them with: twhin topics apply$/,
          ),
        },
        { what: 'store follow', state: 'ok', detail: expect.stringContaining('none yet') },
      ]),
    });
  });

  test.each([2, 16])('says of %i training threads whether there are cores for them', async (threads) => {
    const there = await own(place());
    await writeFile(
      join(there.folder, 'twhin.config.ts'),
      `export default { training: { threads: ${threads} } };\n`,
    );
    const { out } = await there.run('doctor');
    expect(out[3]).toMatch(
      threads <= availableParallelism()
        ? new RegExp(`^ok {4}threads +${threads} train a graph, 1 in a replay`)
        : new RegExp(`^FAIL {2}threads +training.threads is ${threads} on `),
    );
  });
});
