import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { json, own, type Place, refused, succeeded, text } from './captured.ts';
import { emptyPlace, filledPlace, shardedConfig } from './filled-place.ts';

const KEYS = [
  ...Array.from({ length: 40 }, (_, i) => `user:u${i}`),
  ...Array.from({ length: 17 }, (_, i) => `tweet:t${i}`),
];
const owned = (shard: number) => KEYS.filter((key) => shardOf(key, 2) === shard);
const countsOf = (shard: number) => {
  const of = (type: string) => owned(shard).filter((key) => key.startsWith(type)).length;
  return { user: of('user'), tweet: of('tweet'), ad: 0, advertiser: 0, query: 0 };
};

/** A graph in two shards, whose stores were restored from the topic that a whole graph had published to. */
let here: Place;
/** The same log and the same graph, never run. */
let fresh: Place;
let dir: string;
beforeAll(async () => {
  const whole = await filledPlace();
  here = await emptyPlace(whole, shardedConfig(2));
  fresh = await emptyPlace(whole, shardedConfig(2));
  await whole.remove();
  dir = await mkdtemp(join(tmpdir(), 'twhin-sharded-'));
  await succeeded(
    here.run('restore', '--from-topic', '--graph', 'engagement'),
    'twhin run --graph engagement-1',
  );
});
afterAll(async () => {
  await Promise.all([here.remove(), fresh.remove(), rm(dir, { recursive: true, force: true })]);
});

describe('commands on a graph with shards', () => {
  test('restore --from-topic gives each shard its own entities, and stats tells of each and of all', async () => {
    expect(json(await here.run('stats', '--graph', 'engagement', '--json'))).toMatchObject({
      graphs: {
        'engagement-0': { entities: countsOf(0) },
        'engagement-1': { entities: countsOf(1) },
      },
      whole: { engagement: { entities: { user: countsOf(0).user + countsOf(1).user }, edges: {} } },
    });
    const { out } = await here.run('stats');
    const entities = (n: number) => expect.stringMatching(new RegExp(`^  entities +${n}: `));
    expect(out.filter((line) => /^engagement|^follow|^ {2}entities/.test(line))).toEqual([
      expect.stringMatching(/^engagement-0 {2}\(main in /),
      entities(owned(0).length),
      expect.stringMatching(/^engagement-1 {2}\(main in /),
      entities(owned(1).length),
      'engagement  (all shards, each entity and edge once)',
      entities(owned(0).length + owned(1).length),
    ]);
    const single = await here.run('stats', '--graph', 'engagement-1');
    expect(single.out[0]).toMatch(/^engagement-1 {2}\(main in .*engagement-1\)$/);
  });

  test("show asks the owner's store alone", async () => {
    for (const shard of [0, 1]) {
      const [key] = owned(shard);
      const shown = await here.run('show', key!, '--json');
      expect([shown.code, json(shown)]).toEqual([
        0,
        expect.objectContaining({ entity: key, graph: `engagement-${shard}` }),
      ]);
      await refused(
        here.run('show', key!, '--graph', `engagement-${1 - shard}`),
        1,
        `${key} belongs to engagement-${shard}, and not to engagement-${1 - shard}; ask with --graph engagement`,
      );
    }
    const owner = `engagement-${shardOf('user:nobody', 2)}`;
    const argv = ['show', 'user:nobody', '--graph', 'engagement'];
    await refused(here.run(...argv), 1, `user:nobody is not in ${owner}:`);
  });

  test('check looks at each shard', async () => {
    const found = await here.run('check', '--graph', 'engagement', '--json');
    expect(json(found)).toMatchObject({
      graphs: {
        'engagement-0': { ok: true, entities: owned(0).length },
        'engagement-1': { ok: true, entities: owned(1).length },
      },
    });
  });

  test('backup and restore take each shard, and no backup of another number of shards', async () => {
    expect((await here.run('backup', dir)).code).toBe(0);
    expect(await fresh.run('restore', dir)).toMatchObject({ code: 0, err: [] });
    const stats = ['stats', '--graph', 'engagement', '--digest', '--json'];
    expect(json(await fresh.run(...stats))).toEqual(json(await here.run(...stats)));

    await refused(
      fresh.run('restore', dir, '--graph', 'engagement-0'),
      1,
      /already has a store main .* stop the shard, move .*engagement-0 away, and give twhin restore/,
    );
    await refused(
      fresh.run('restore', dir, '--graph', 'engagement-0', '--into', 'before'),
      2,
      /--into: .* could never be made live/,
    );

    await writeFile(join(fresh.folder, 'other.config.ts'), shardedConfig(3));
    await rename(join(fresh.folder, 'state'), join(fresh.folder, 'state-of-two'));
    const asThree = fresh.configured('other.config.ts');
    await refused(
      asThree('restore', dir, '--graph', 'engagement'),
      1,
      'the store of engagement-0 holds shard 0 of 2, and the configuration asks for shard 0 of 3',
    );
    await rename(join(dir, 'engagement-0'), join(dir, 'elsewhere'));
    await refused(
      fresh.run('restore', dir, '--graph', 'engagement'),
      1,
      'there is no backup of engagement-0 in',
    );
  });

  test('export writes one shard', async () => {
    await succeeded(
      here.run('export', '--graph', 'engagement-1', '--out', join(dir, 'vectors')),
      `${owned(1).length} vectors of engagement-1`,
    );
  });

  test('evaluate measures the whole graph: what it measures of the same graph without shards', async () => {
    const argv = ['evaluate', '--graph', 'engagement', '--json'];
    const uncut = await own(emptyPlace(here));
    const { seconds: _, ...whole } = z
      .looseObject({ records: z.literal(301) })
      .parse(json(await uncut.run(...argv)));
    expect(json(await here.run(...argv))).toMatchObject(whole);
  });

  test('tune tries settings on the whole graph', async () => {
    const argv = ['tune', '--graph', 'engagement', '--trials', '1', '--first-round', '100', '--json'];
    expect(json(await here.run(...argv))).toMatchObject({ graph: 'engagement', records: 301 });
  });

  test('topics makes those between shards once, and never gives it another number of partitions', async () => {
    const applied = text(await here.run('topics', 'apply'));
    expect(applied).toContain('create twhin.exchange.engagement: 2 partitions');
    expect(applied).not.toContain('engagement-0');
    await writeFile(join(here.folder, 'three.config.ts'), shardedConfig(3));
    const asThree = here.configured('three.config.ts');
    for (const action of ['plan', 'apply', 'plan']) {
      const planned = await asThree('topics', action);
      expect(planned.out).toEqual([
        expect.stringMatching(
          /^leave twhin.exchange.engagement as it is: 2 partitions here, 3 declared; .* set graphs.engagement.shards to/,
        ),
        expect.stringMatching(
          /^leave twhin.edges.engagement as it is: 2 partitions here, 3 declared; .* delete this topic and run twhin topics apply/,
        ),
        'nothing to change; a topic that is left as it is can not be used',
      ]);
    }
    expect(text(await asThree('doctor'))).toMatch(/FAIL +topics +leave twhin.exchange.engagement as it is/);
    const doctor = text(await here.run('doctor'));
    expect(doctor).toMatch(/ok +topics +all \d+ are there/);
    expect(doctor).toMatch(/ok +store engagement-0 +main: \d+ entities/);
    expect(doctor).toMatch(/ok +store engagement-1 +main: \d+ entities/);
  });

  test('candidates reads the graph once, under its own name', async () => {
    const out = join(dir, 'lists.ndjson');
    const argv = ['candidates', '--surface', 'home', '--out', out];
    await succeeded(here.run(...argv, '--graph', 'engagement'), '40 lists in');
  });

  test.each<[argv: string, said: string | RegExp]>([
    ['evaluate --graph engagement-1', 'engagement-1 is one of 2 shards'],
    ['tune --graph engagement-1', 'engagement-1 is one of 2 shards'],
    ['export --graph engagement --out vectors', /is cut into 2 shards, .* --graph engagement-0/],
    [
      'replay --graph follow --into x --set graphs.follow.shards=2',
      '--set: events and stores stay where the live graph has them',
    ],
    [
      'candidates --surface home --out lists --graph engagement-0',
      'no graph engagement-0; the configuration',
    ],
    [
      'run --graph engagement-2 --until-caught-up',
      'no graph engagement-2; the configuration has engagement (engagement-0 to engagement-1)',
    ],
  ])('refuses %s', async (argv, said) => {
    await refused(here.run(...argv.split(' ')), 2, said);
  });

  test('check says how the damaged store of a shard is replaced', async () => {
    const store = await openRocksdb(join(here.folder, 'state/engagement-0/db'));
    const batch = new WriteBatch();
    for await (const { key } of store.scan(Buffer.from('n'))) {
      if (batch.size === 0) batch.delete(key);
    }
    await store.write(batch);
    await store.close();
    const { code, out } = await here.run('check', '--graph', 'engagement-0');
    expect([code, out.at(-1)]).toEqual([
      1,
      expect.stringMatching(
        /stop the shard, move .*engagement-0 away, and make the store again with twhin restore DIR/,
      ),
    ]);
    expect(out.at(-1)).not.toContain('promote');
  });
});
