import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { openForReading, openForWriting } from '../../src/state/open.ts';
import { placeOf } from '../../src/state/places.ts';
import { freshFolder } from '../fresh-folder.ts';
import { commitOf, entity, MODEL, user } from '../graph/graph-fixture.ts';

let folder = '';
beforeEach(async () => {
  folder = await freshFolder();
});

describe('opening a store for reading', () => {
  test('gives undefined where there is no store, and creates nothing', async () => {
    const graph = { name: 'test', folder: join(folder, 'test'), model: MODEL };
    expect(await openForReading(graph)).toBeUndefined();
    await expect(readFile(graph.folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('opens again when the list of files changed meanwhile, and fails when it always did', async () => {
    const graph = { name: 'test', folder, model: MODEL };
    const place = placeOf(graph, 'main');
    const writer = await openForWriting(graph);
    await writer.commit(commitOf({ entities: [entity(user('a'), 4)] }));
    const opened: string[] = [];
    /** Simulates a flush of the writer's memtable during the first `times` openings. */
    const flushing = (times: number): typeof openRocksdb => {
      let left = times;
      return async (db, options) => {
        const store = await openRocksdb(db, options);
        opened.push(left > 0 ? 'torn' : 'whole');
        const list = (await readFile(join(db, 'CURRENT'), 'utf8')).trim();
        if (left-- > 0) await appendFile(join(db, list), 'x');
        const { close } = store;
        store.close = async () => {
          opened.push('closed');
          await close.call(store);
        };
        return store;
      };
    };
    const reader = await openForReading(graph, place, flushing(2));
    expect(opened).toEqual(['torn', 'closed', 'torn', 'closed', 'whole']);
    expect((await reader?.entity(user('a')))?.row).toBe(4);
    await reader?.close();
    await expect(openForReading(graph, place, flushing(Number.POSITIVE_INFINITY))).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'store-moving',
      message: expect.stringContaining(folder),
    });
    await writer.close();
  });

  test('gives a view that stays complete after its files are compacted away', async () => {
    const graph = { name: 'test', folder, model: { ...MODEL, dim: 200 } };
    const writer = await openForWriting(graph);
    const rows = Array.from({ length: 2_000 }, (_, i) => 10 + i);
    /** 1.6 MB of vectors, each number `value`. */
    const write = (value: number) =>
      writer.commit(
        commitOf({
          vectors: Object.fromEntries(rows.map((row) => [row, new Array<number>(202).fill(value)])),
        }),
      );
    for (let value = 1; value <= 30; value++) await write(value);
    const view = await openForReading(graph);
    const tables = async () => (await readdir(join(folder, 'db'))).filter((name) => name.endsWith('.sst'));
    const before = await tables();
    expect(before.length).toBeGreaterThan(0);
    for (let value = 31; (await tables()).some((name) => before.includes(name)); value++) await write(value);
    const seen = new Set<number>();
    for await (const { floats } of view?.rows() ?? []) seen.add(floats[0] ?? 0);
    expect([...seen]).toEqual([30]);
    await view?.close();
    await writer.close();
  });
});
