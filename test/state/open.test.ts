import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { openRocksdb } from '../../src/adapters/rocksdb/store.ts';
import { openForReading, openForWriting } from '../../src/state/open.ts';
import { placeOf } from '../../src/state/places.ts';
import { freshFolder } from '../fresh-folder.ts';
import { commitOf, entity, HEAD, MODEL, user } from '../graph/graph-fixture.ts';

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
    await writer.commit(commitOf({ head: { ...HEAD, checkpoint: 0 }, entities: [entity(user('a'), 4)] }));
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

  test('opens again when the checkpoint that it is to read was replaced meanwhile; where it is gone, only reading vectors fails', async () => {
    const graph = { name: 'test', folder, model: MODEL };
    const place = placeOf(graph, 'main');
    const writer = await openForWriting(graph);
    const write = async (commit: number) => {
      const head = { ...HEAD, commit, checkpoint: commit };
      await writer.checkpoints.write(head, rowsOf(commit));
      await writer.commit({ head });
      await writer.checkpoints.dropBefore(commit);
    };
    await write(1);
    let openings = 0;
    const replacing: typeof openRocksdb = async (db, options) => {
      const store = await openRocksdb(db, options);
      if (++openings === 1) await write(2);
      return store;
    };
    const reader = await openForReading(graph, place, replacing);
    expect([openings, (await reader?.head())?.checkpoint]).toEqual([2, 2]);
    expect((await reader?.readRows([3]))?.[0]?.[0]).toBe(2);
    await reader?.close();
    await writer.checkpoints.dropBefore(3);
    await using gone = await openForReading(graph, place, replacing);
    expect((await gone?.head())?.commit).toBe(2);
    await expect(gone?.readRows([3])).rejects.toMatchObject({ code: 'store-damaged' });
    await writer.close();
  });

  test('gives a view that stays complete after its files are compacted away', async () => {
    const graph = { name: 'test', folder, model: MODEL };
    const writer = await openForWriting(graph);
    const long = Array.from({ length: 2_000 }, (_, i) => user(`${'x'.repeat(240)}${i}`));
    /** A file with half a megabyte of entities, each seen last at `value`, and a checkpoint that takes the place of the one before. */
    const write = async (value: number) => {
      const head = { ...HEAD, rows: 10 + long.length, commit: value, checkpoint: value };
      await writer.checkpoints.write(head, rowsOf(value));
      await writer.commit({
        head,
        entities: long.map((key, i) => entity(key, 10 + i, { firstSeen: value, lastSeen: value })),
      });
      await writer.sync();
      await writer.checkpoints.dropBefore(value);
    };
    const last = 6;
    for (let value = 1; value <= last; value++) await write(value);
    const view = await openForReading(graph);
    const tables = async () => (await readdir(join(folder, 'db'))).filter((name) => name.endsWith('.sst'));
    const before = await tables();
    expect(before.length).toBeGreaterThan(0);
    for (let value = last + 1; (await tables()).some((name) => before.includes(name)); value++)
      await write(value);
    const seen = new Set<number>();
    for await (const { lastSeen } of view?.entities() ?? []) seen.add(lastSeen);
    for await (const { floats } of view?.rows() ?? []) seen.add(floats[0] ?? 0);
    expect([...seen]).toEqual([last]);
    await view?.close();
    await writer.close();
  });
});

/** Ten rows of `value`. */
async function* rowsOf(value: number) {
  const [types, trained] = [new Uint8Array(10), new Uint8Array(10)];
  yield { types, trained, floats: new Float32Array(10 * (MODEL.dim + 2)).fill(value) };
}
