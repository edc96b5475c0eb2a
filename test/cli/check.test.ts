import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { json, type Place, place, refused } from './captured.ts';
import { fill } from './filled-place.ts';

const AT = 1_704_067_200_000;
let here: Place;
let db = '';
beforeAll(async () => {
  here = await place();
  db = join(here.folder, 'state/engagement/db');
  const events = [0, 1, 2].map((i) => ({ userId: `u${i}`, tweetId: 't', action: 'like', at: AT + i }));
  await fill(
    here,
    events.map((event) => JSON.stringify(event)),
  );
});
afterAll(() => here.remove());

const WELL = { store: 'main', ok: true, entities: 4, edges: 3, removed: 0, findings: [] };

/** Deletes the first key of a kind, without its counterpart. */
async function lose(kind: string): Promise<void> {
  const store = await openRocksdb(db);
  const batch = new WriteBatch();
  for await (const { key } of store.scan(Buffer.from(kind))) {
    if (batch.size === 0) batch.delete(key);
  }
  await store.write(batch);
  await store.close();
}

describe('twhin check', () => {
  test('finds nothing wrong after a run, also for a graph without a store', async () => {
    const { code, out, err } = await here.run('check');
    expect([code, err]).toEqual([0, ['no store yet: follow; twhin run makes it']]);
    expect(out).toEqual([
      `engagement  (main in ${join(here.folder, 'state/engagement')})`,
      '  4 entities, 3 live edges, 0 removed',
      '  all is well',
    ]);
    expect(json(await here.run('check', '--json'))).toEqual({
      ok: true,
      graphs: { engagement: WELL },
    });
    const argv = ['check', '--graph', 'engagement', '--store', 'shadow'];
    await refused(here.run(...argv), 1, 'there is no store shadow of engagement');
  });

  test('reports a checkpoint that is damaged or gone', async () => {
    const name = (await readdir(db)).find((each) => each.startsWith('checkpoint-')) ?? '';
    const whole = await readFile(join(db, name));
    const flipped = Buffer.from(whole);
    flipped[0]! ^= 1;
    await writeFile(join(db, name), flipped);
    const damaged = await here.run('check', '--graph', 'engagement');
    expect([damaged.code, damaged.out.slice(1, 4)]).toEqual([
      1,
      [
        '  4 entities, 3 live edges, 0 removed',
        expect.stringMatching(/WRONG {4}checkpoint-damaged 1: the checkpoint with the vectors can't be read/),
        expect.stringMatching(/checkpoint-\d+ can't be read: the checksum of the block at byte 0 differs/),
      ],
    ]);
    await rm(join(db, name));
    const gone = await here.run('check', '--graph', 'engagement');
    expect([gone.code, gone.out.slice(1, 4)]).toEqual([
      1,
      [
        '  4 entities, 3 live edges, 0 removed',
        expect.stringMatching(/WRONG {4}checkpoint-damaged 1: the checkpoint with the vectors can't be read/),
        expect.stringMatching(/the checkpoint .* can't be read: ENOENT.*twhin restore/),
      ],
    ]);
    // What needs no vectors is answered.
    expect((await here.run('stats', '--graph', 'engagement')).code).toBe(0);
    await writeFile(join(db, name), whole);
    expect((await here.run('check', '--graph', 'engagement')).code).toBe(0);
  });

  test('reports damage, ends with exit code 1, and names the commands that make the store again', async () => {
    await lose('i');
    const found = await here.run('check', '--graph', 'engagement');
    expect([found.code, found.out.slice(2, 4)]).toEqual([
      1,
      ['  WRONG    reverse-missing 1: edges lack their reverse entry', '             user:u0 likes tweet:t'],
    ]);
    expect(found.out.at(-1)).toMatch(/^ {2}make the store again .*twhin restore.*twhin replay.*promote/);
    await lose('n');
    const { code, out } = await here.run('check', '--graph', 'engagement');
    expect(code).toBe(1);
    expect(out.join('\n')).toMatch(/WRONG {4}entities-fewer [1-4]:.*WRONG {4}end-missing/s);
  });

  test('reports damaged files, and continues with the other graphs', async () => {
    const store = await openRocksdb(db, { durable: true });
    const batch = new WriteBatch();
    for (let i = 0; i < 500; i++) batch.put(Buffer.from(`q${i}`), Buffer.alloc(100, i));
    await store.write(batch);
    await store.close();
    for (const table of (await readdir(db)).filter((name) => name.endsWith('.sst'))) {
      const bytes = await readFile(join(db, table));
      bytes[20] = (bytes[20] ?? 0) ^ 1;
      await writeFile(join(db, table), bytes);
    }
    const said = await here.run('check', '--json');
    expect(said.code).toBe(1);
    expect(json(said)).toMatchObject({
      ok: false,
      graphs: {
        engagement: {
          ok: false,
          damage: expect.stringMatching(
            /checksum mismatch.*twhin restore DIR --into NAME or, without one, the published vectors/,
          ),
        },
      },
    });
    const plain = await here.run('check', '--graph', 'engagement');
    expect([plain.code, plain.out[1]]).toEqual([
      1,
      expect.stringMatching(/^ {2}DAMAGED {2}the store in .*twhin restore/),
    ]);
  });
});
