import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openRocksdb } from '../../../src/adapters/rocksdb/store.ts';
import { openRocksdbThread } from '../../../src/adapters/rocksdb/thread.ts';
import { type Store, WriteBatch } from '../../../src/graph/store.ts';
import { freshFolder } from '../../fresh-folder.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { batchOf, scanned, storeConformance } from '../../graph/store-conformance.ts';

let written = '';
storeConformance('RocksDB in a thread', {
  open: async () => {
    written = await freshFolder();
    return openRocksdbThread(written);
  },
  reopen: async (store) => {
    await store.close();
    return openRocksdbThread(written);
  },
});

const nothing = new Uint8Array();
const keyOf = (n: number) => Buffer.from(`k${String(n).padStart(6, '0')}`);

/** A closed store with `count` entries of various lengths. */
async function filled(count: number): Promise<string> {
  const folder = await freshFolder();
  const store = await openRocksdb(folder, { durable: true });
  const batch = new WriteBatch();
  for (let n = 0; n < count; n++) batch.put(keyOf(n), Buffer.alloc((n * 37) % 700, n));
  await store.write(batch);
  await store.close();
  return folder;
}

/** Runs `work` with a reader, and closes the reader. */
async function reading<T>(folder: string, work: (reader: Store) => Promise<T>): Promise<T> {
  const reader = await openRocksdbThread(folder, { readOnly: true });
  return work(reader).finally(() => reader.close());
}

describe('a reader in a thread of its own', () => {
  test('reads the same as the store itself, beside a writer too', async () => {
    const folder = await filled(20_000);
    const store = await openRocksdb(folder);
    await store.write(batchOf(['6b', 'ff'], ['78', '']));
    await reading(folder, async (reader) => {
      for (const prefix of [nothing, Buffer.from('k'), Buffer.from('k0001'), Buffer.from('y')]) {
        expect(await scanned(reader.scan(prefix))).toEqual(await scanned(store.scan(prefix)));
      }
      const keys = [keyOf(7), keyOf(99_999), keyOf(0), Buffer.from('x'), keyOf(19_999)];
      const [own, read] = [await store.getMany(keys), await reader.getMany(keys)];
      expect(read.map((value) => value && [...value])).toEqual(own.map((value) => value && [...value]));
      expect(read[1]).toBeUndefined();
      expect(await reader.getMany([])).toEqual([]);
    });
    await store.close();
  });

  test('several scans run side by side, and each can be left early', async () => {
    const folder = await filled(20_000);
    await reading(folder, async (reader) => {
      for await (const _ of reader.scan(nothing)) break;
      const all = await Promise.all([1, 2, 3].map(() => scanned(reader.scan(nothing))));
      expect(all.map((each) => each.length)).toEqual([20_000, 20_000, 20_000]);
      const left = reader.runs(nothing)[Symbol.asyncIterator]();
      expect((await left.next()).done).toBe(false);
    });
  });

  test('throws the errors of the store itself', async () => {
    const missing = join(await freshFolder(), 'nowhere');
    await expect(openRocksdbThread(missing, { readOnly: true })).rejects.toMatchObject({
      code: 'store-missing',
    });
    const folder = await filled(20_000);
    const [table = ''] = (await readdir(folder)).filter((name) => name.endsWith('.sst'));
    const path = join(folder, table);
    const bytes = await readFile(path);
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await reading(folder, async (reader) => {
      const failure = {
        name: 'FatalError',
        code: 'store-read',
        message: expect.stringMatching(
          new RegExp(`checksum mismatch.*${table}.*twhin restore.*twhin replay`),
        ),
      };
      await expect(scanned(reader.scan(nothing))).rejects.toMatchObject(failure);
      const keys = Array.from({ length: 20_000 }, (_, n) => keyOf(n));
      await expect(reader.getMany(keys)).rejects.toMatchObject(failure);
    });
  });

  test('a reader writes nothing; reading after close is an error', async () => {
    const folder = await filled(5_000);
    const reader = await openRocksdbThread(folder, { readOnly: true });
    await expect(reader.write(batchOf(['61', '01']))).rejects.toMatchObject({ code: 'store-write' });
    const scan = reader.runs(nothing)[Symbol.asyncIterator]();
    await scan.next();
    await reader.close();
    await reader.close();
    const rest = async () => {
      while (!(await scan.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({ code: 'store-read', message: /ended: it was closed/ });
    await expect(reader.getMany([keyOf(1)])).rejects.toMatchObject({ code: 'store-read' });
  });
});

describe('a writer in a thread of its own', () => {
  test('writes rows like the store in memory, and tells its memory', async () => {
    const [store, twin] = [await openRocksdbThread(await freshFolder()), new MemoryStore()];
    const rows = Int32Array.from({ length: 3_000 }, (_, i) => 3 * i);
    const floats = new Float32Array(new SharedArrayBuffer(rows.length * 6 * 4)).map((_, i) => i / 7);
    for (const each of [store, twin]) {
      const batch = batchOf(['61', '01'], ['62', null]);
      batch.rows = { dim: 4, rows, floats, steps: 17, erased: new Set([30, 2_999 * 3]) };
      await each.write(batch);
    }
    const all = await scanned(store.scan(nothing));
    expect(all).toEqual(await scanned(twin.scan(nothing)));
    expect(all).toHaveLength(1 + 3_000 - 2);
    expect((await store.memory?.())?.memtables).toBeGreaterThan(0);
    await store.close();
    expect(await store.memory?.()).toBeUndefined();
  });

  test('reports an error of closing', async () => {
    const folder = await freshFolder();
    const store = await openRocksdbThread(folder, { durable: true });
    await store.write(batchOf(['61', '01']));
    await rm(folder, { recursive: true });
    await expect(store.close()).rejects.toMatchObject({ code: 'store-write' });
  });

  test('keeps other writers out, and does not keep the process alive', async () => {
    const folder = await freshFolder();
    const store = await openRocksdbThread(folder);
    await expect(openRocksdbThread(folder)).rejects.toMatchObject({ code: 'store-in-use' });
    await store.close();
    const source = join(import.meta.dirname, '../../../src/adapters/rocksdb/thread.ts');
    const script = `import(${JSON.stringify(source)}).then(async ({ openRocksdbThread }) => {
      await openRocksdbThread(${JSON.stringify(folder)});
      console.log('open');
    });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { timeout: 20_000 });
    expect(stdout).toBe('open\n');
  });
});
