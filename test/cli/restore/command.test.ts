import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRocksdb } from '../../../src/adapters/rocksdb/store.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { forge } from '../../backup/backup-fixture.ts';
import { json, own, type Place, place, refused, type Said, succeeded } from '../captured.ts';
import { CONFIG, emptyPlace, filledPlace } from '../filled-place.ts';

/** A place where a stream was fed and read, and a backup of it. */
let here: Place;
let dir = '';
beforeAll(async () => {
  here = await filledPlace();
  dir = join(here.folder, 'backups');
  expect((await here.run('backup', dir)).code).toBe(0);
});
afterAll(() => here.remove());

const emptied = (config?: string) => own(emptyPlace(here, config));

const digestOf = async (at: Place) =>
  json(await at.run('stats', '--graph', 'engagement', '--digest', '--json'));
describe('twhin restore', () => {
  test('makes the first store from a backup, byte for byte, and an updater continues on it', async () => {
    const there = await emptied();
    await succeeded(there.run('restore', dir), 'twhin run --graph engagement');
    expect(await digestOf(there)).toEqual(await digestOf(here));
    expect(await readdir(join(there.folder, 'state/engagement'))).toEqual(['db', 'origin.json', 'restoring']);
    expect(await readdir(join(there.folder, 'state/engagement/restoring'))).toEqual([]);
    expect(json(await there.run('check', '--json'))).toMatchObject({ ok: true });
    expect(await there.run('run', '--graph', 'engagement', '--until-caught-up')).toMatchObject({
      code: 0,
      err: [],
    });
    expect(json(await there.run('stats', '--graph', 'engagement', '--json'))).toMatchObject({
      graphs: { engagement: { events: { consumed: 301 } } },
    });
  });

  test('never replaces a store: the refusal names the commands, and the commands work', async () => {
    await refused(
      here.run('restore', dir),
      1,
      /engagement already has a store main in .*twhin restore .* --graph engagement --into NAME.*twhin promote NAME/,
    );
    const beside = await here.run('restore', dir, '--into', 'before', '--json');
    expect([beside.code, json(beside)]).toEqual([
      0,
      {
        graphs: {
          engagement: expect.objectContaining({
            store: 'before',
            folder: join(here.folder, 'state/engagement/stores/before'),
            from: 'backup',
          }),
        },
      },
    ]);
    expect(
      json(await here.run('check', '--store', 'before', '--graph', 'engagement', '--json')),
    ).toMatchObject({
      ok: true,
    });
    await refused(here.run('restore', dir, '--into', 'before'), 1, 'a store before in');
    await refused(here.run('restore', dir, '--into', '../up'), 2, "expected a store's name");
    await rm(join(here.folder, 'state/engagement/stores'), { recursive: true });
  });

  test('starts from scratch after an interrupted restore', async () => {
    const there = await emptied();
    const left = join(there.folder, 'state/engagement/restoring/main');
    const half = await openRocksdb(join(left, 'db'));
    const batch = new WriteBatch();
    batch.put(Buffer.from('q'), Buffer.from('left'));
    await half.write(batch);
    await half.close();
    await writeFile(`${left}.lock`, '999999999');
    expect((await there.run('restore', dir)).code).toBe(0);
    expect(json(await there.run('check', '--graph', 'engagement', '--json'))).toMatchObject({ ok: true });
  });

  test('puts no store in place from a backup that is damaged, missing or of another model', async () => {
    const there = await emptied();
    const copy = join(there.folder, 'copy');
    const fresh = async () => {
      await rm(copy, { recursive: true, force: true });
      await cp(dir, copy, { recursive: true });
    };
    const files = await readdir(join(dir, 'engagement'));
    const engagement = join(copy, 'engagement');
    const fileOf = (end: string) => join(engagement, files.find((name) => name.endsWith(end)) ?? '');
    const [data, checkpoint] = [fileOf('.zst'), fileOf('.checkpoint')];
    const flipped = (path: string) => async () => {
      const bytes = await readFile(path);
      bytes[200] = (bytes[200] ?? 0) ^ 1;
      await writeFile(path, bytes);
    };
    /** A manifest of other content, whose checksum is right. */
    const forged = (change: Parameters<typeof forge>[1]) => () => forge(engagement, change);
    const otherHead = forged((from) => ({ ...from, head: { ...from.head, step: from.head.step + 1 } }));
    const cases: readonly [() => Promise<unknown>, RegExp][] = [
      [() => rm(copy, { recursive: true }), /there is no backup in/],
      [flipped(data), /\.zst is damaged: .*\. Nothing was restored/],
      [flipped(checkpoint), /\.checkpoint is damaged: .*\. Nothing was restored/],
      [() => rm(checkpoint), /\.checkpoint is damaged: it is missing/],
      [forged(({ checkpoint: _, ...from }) => from), /checkpoint-\d+ can't be read: ENOENT/],
      [otherHead, /has another head than was written/],
      [forged((from) => ({ ...from, set: ['state=/etc'] })), /no store is trained with: state=\/etc/],
      [() => rename(engagement, join(copy, 'follow')), /is of the graph engagement, not of follow/],
    ];
    for (const [damage, message] of cases) {
      await fresh();
      await damage();
      const { code, out, err } = await there.run('restore', copy);
      expect([code, out, err.join('\n')]).toEqual([1, [], expect.stringMatching(message)]);
      const left = await readdir(join(there.folder, 'state/engagement')).catch(() => []);
      expect([message, left]).toEqual([message, expect.not.arrayContaining(['db'])]);
      expect(await readdir(join(there.folder, 'state/engagement/restoring')).catch(() => [])).toEqual([]);
    }
    await fresh();
    await writeFile(join(there.folder, 'other.config.ts'), CONFIG.replace('dim: 8', 'dim: 16'));
    const other = await own(place({ TWHIN_CONFIG: join(there.folder, 'other.config.ts') }));
    await refused(
      other.run('restore', copy),
      1,
      /another model[\s\S]*dim: the store has 8, the configuration 16/,
    );
  });

  test('refuses the backup of a damaged store', async () => {
    const there = await emptied();
    expect((await there.run('restore', dir)).code).toBe(0);
    const db = await openRocksdb(join(there.folder, 'state/engagement/db'));
    let key: Uint8Array | undefined;
    for await (const entry of db.scan(Buffer.from('i'))) key ??= entry.key;
    const batch = new WriteBatch();
    batch.delete(key ?? new Uint8Array());
    await db.write(batch);
    await db.close();
    const copy = join(there.folder, 'copy');
    expect((await there.run('backup', copy)).code).toBe(0);
    await refused(
      there.run('restore', copy, '--into', 'again'),
      1,
      /not whole: edges lack their reverse entry, 1 times, such as user:/,
    );
    await mkdir(join(there.folder, 'state/engagement/stores'), { recursive: true });
    expect(await readdir(join(there.folder, 'state/engagement/stores'))).toEqual([]);
  });

  test('a first store takes the settings of its backup alone, whatever the store before it was trained with', async () => {
    const there = await emptied();
    const live = join(there.folder, 'state/engagement/live.json');
    await mkdir(dirname(live), { recursive: true });
    const before = {
      live: 'main',
      previous: null,
      since: '2026-01-01T00:00:00.000Z',
      set: ['learningRate=9'],
    };
    await writeFile(live, JSON.stringify(before));
    await succeeded(there.run('restore', dir));
    expect(JSON.parse(await readFile(live, 'utf8'))).toMatchObject({ live: 'main', set: [] });
  });

  test('needs a folder or a topic', async () => {
    for (const argv of [['restore'], ['restore', dir, '--from-topic'], ['restore', dir, '--topic', 'x']]) {
      const { code } = await here.run(...argv);
      expect([argv, code]).toEqual([argv, 2]);
    }
  });
});

describe('twhin restore --from-topic', () => {
  test('restores the vectors alone; a run reads the edges from the event topics again', async () => {
    const there = await emptied();
    const restored = await there.run('restore', '--from-topic', '--graph', 'engagement', '--json');
    expect([restored.code, restored.err]).toEqual([0, []]);
    expect(json(restored)).toMatchObject({
      graphs: {
        engagement: {
          store: 'main',
          from: 'topic',
          entities: { user: 40, tweet: 17 },
          edges: {},
          offsets: {},
        },
      },
    });
    for (const entity of ['user:u1', 'tweet:t3']) {
      const [before, after] = [
        await here.run('show', entity, '--json'),
        await there.run('show', entity, '--json'),
      ];
      const shown = (one: Said) => json(one) as { vector: number[]; step: number };
      expect(shown(after).vector).toEqual(shown(before).vector);
    }
    expect(await there.run('run', '--graph', 'engagement', '--until-caught-up')).toMatchObject({
      code: 0,
      err: [],
    });
    const edges = async (at: Place) =>
      (
        json(await at.run('stats', '--graph', 'engagement', '--digest', '--json')) as {
          graphs: { engagement: { edges: object; digest: { edges: string } } };
        }
      ).graphs.engagement;
    expect((await edges(there)).edges).toEqual((await edges(here)).edges);
    expect((await edges(there)).digest.edges).toBe((await edges(here)).digest.edges);
    expect(json(await there.run('check', '--graph', 'engagement', '--json'))).toMatchObject({ ok: true });
  });

  test('refuses a topic of another model, without vectors, or that does not exist', async () => {
    const there = await emptied(CONFIG.replace('dim: 8', 'dim: 16'));
    for (const [argv, message] of [
      [
        ['--graph', 'engagement'],
        /vectors of other models than the configured one: 57, such as .* of [0-9a-f]{16}; 0 are of the configured/,
      ],
      [['--graph', 'follow'], /holds no vector of follow/],
      [['--graph', 'follow', '--topic', 'none'], /none/],
      [
        ['--graph', 'engagement', '--topic', 'twhin.engagement'],
        /twhin\.engagement, partition \d, offset 0 is no vector/,
      ],
    ] as const) {
      await refused(there.run('restore', '--from-topic', ...argv), 1, message);
    }
    expect((await there.run('restore', '--from-topic', '--topic', 'x')).code).toBe(2);
    expect(await readdir(join(there.folder, 'state/engagement/restoring'))).toEqual([]);
  });
});
