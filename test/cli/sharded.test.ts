import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { shardOf } from '../../src/graph/shard.ts';
import { WriteBatch } from '../../src/graph/store.ts';
import { json, own, type Place, type Said } from './captured.ts';
import { emptyPlace, filledPlace } from './filled-place.ts';

const configOf = (shards: number) =>
  `export default { model: { dim: 8 }, limits: { maxEntities: 10_000 }, graphs: { engagement: { shards: ${shards} }, follow: {} } };\n`;
const text = ({ out, err }: Said) => [...out, ...err].join('\n');

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
  here = await emptyPlace(whole, configOf(2));
  fresh = await emptyPlace(whole, configOf(2));
  await whole.remove();
  dir = await mkdtemp(join(tmpdir(), 'twhin-sharded-'));
  const restored = await here.run('restore', '--from-topic', '--graph', 'engagement');
  expect([restored.code, text(restored)]).toEqual([
    0,
    expect.stringContaining('twhin run --graph engagement-1'),
  ]);
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
      expect.stringMatching(/^follow {2}\(main in /),
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
      const other = await here.run('show', key!, '--graph', `engagement-${1 - shard}`);
      expect([other.code, text(other)]).toEqual([
        1,
        expect.stringContaining(
          `${key} belongs to engagement-${shard}, and not to engagement-${1 - shard}; ask with --graph engagement`,
        ),
      ]);
    }
    const unknown = await here.run('show', 'user:nobody', '--graph', 'engagement');
    const owner = `engagement-${shardOf('user:nobody', 2)}`;
    expect([unknown.code, text(unknown)]).toEqual([
      1,
      expect.stringContaining(`user:nobody is not in ${owner}:`),
    ]);
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
    const back = await fresh.run('restore', dir);
    expect([back.code, back.err]).toEqual([0, []]);
    const stats = ['stats', '--graph', 'engagement', '--digest', '--json'];
    expect(json(await fresh.run(...stats))).toEqual(json(await here.run(...stats)));

    const again = await fresh.run('restore', dir, '--graph', 'engagement-0');
    expect([again.code, text(again)]).toEqual([
      1,
      expect.stringMatching(
        /already has a store main .* stop the shard, move .*engagement-0 away, and give twhin restore/,
      ),
    ]);
    const beside = await fresh.run('restore', dir, '--graph', 'engagement-0', '--into', 'before');
    expect([beside.code, text(beside)]).toEqual([
      2,
      expect.stringMatching(/--into: .* could never be made live/),
    ]);

    await writeFile(join(fresh.folder, 'other.config.ts'), configOf(3));
    await rename(join(fresh.folder, 'state'), join(fresh.folder, 'state-of-two'));
    const asThree = fresh.configured('other.config.ts');
    const fewer = await asThree('restore', dir, '--graph', 'engagement');
    expect([fewer.code, text(fewer)]).toEqual([
      1,
      expect.stringContaining(
        'the store of engagement-0 holds shard 0 of 2, and the configuration asks for shard 0 of 3',
      ),
    ]);
    await rename(join(dir, 'engagement-0'), join(dir, 'engagement-3'));
    const more = await asThree('restore', dir, '--graph', 'engagement-1');
    expect([more.code, text(more)]).toEqual([
      2,
      expect.stringContaining(`engagement is cut into 3 shards, and ${dir} holds a backup of engagement-3`),
    ]);
    await rename(join(dir, 'engagement-3'), join(dir, 'elsewhere'));
    const lacking = await fresh.run('restore', dir, '--graph', 'engagement');
    expect([lacking.code, text(lacking)]).toEqual([
      1,
      expect.stringContaining('there is no backup of engagement-0 in'),
    ]);
  });

  test('export writes one shard, and refuses to take one for the whole', async () => {
    const whole = await here.run('export', '--graph', 'engagement', '--out', join(dir, 'vectors'));
    expect([whole.code, text(whole)]).toEqual([
      2,
      expect.stringMatching(/engagement is cut into 2 shards, .* --graph engagement-0/),
    ]);
    const one = await here.run('export', '--graph', 'engagement-1', '--out', join(dir, 'vectors'));
    expect([one.code, text(one)]).toEqual([
      0,
      expect.stringContaining(`${owned(1).length} vectors of engagement-1`),
    ]);
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

  test.each([[['evaluate']], [['tune']]])('%j of one shard is refused', async (argv) => {
    const refused = await here.run(...argv, '--graph', 'engagement-1');
    expect([refused.code, text(refused)]).toEqual([
      2,
      expect.stringContaining('engagement-1 is one of 2 shards'),
    ]);
  });

  test('a replay can not set another number of shards', async () => {
    const refused = await here.run(
      'replay',
      '--graph',
      'follow',
      '--into',
      'x',
      '--set',
      'graphs.follow.shards=2',
    );
    expect([refused.code, text(refused)]).toEqual([
      2,
      expect.stringContaining('--set: a replay reads and writes where the live graph does'),
    ]);
  });

  test('topics makes those between shards once, and never gives it another number of partitions', async () => {
    const applied = text(await here.run('topics', 'apply'));
    expect(applied).toContain('create twhin.exchange.engagement: 2 partitions');
    expect(applied).not.toContain('engagement-0');
    await writeFile(join(here.folder, 'three.config.ts'), configOf(3));
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
    const listed = await here.run(...argv, '--graph', 'engagement');
    expect([listed.code, text(listed)]).toEqual([0, expect.stringContaining('40 lists in')]);
    const shard = await here.run(...argv, '--graph', 'engagement-0');
    expect([shard.code, text(shard)]).toEqual([
      2,
      expect.stringContaining('no graph engagement-0; the configuration has'),
    ]);
  });

  test('run refuses a shard that the graph has not', async () => {
    const refused = await here.run('run', '--graph', 'engagement-2', '--until-caught-up');
    expect([refused.code, text(refused)]).toEqual([
      2,
      expect.stringContaining(
        'no graph engagement-2; the configuration has engagement (engagement-0 to engagement-1)',
      ),
    ]);
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
