import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { openRocksdb } from '../../../src/adapters/rocksdb/store.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { freshFolder } from '../../fresh-folder.ts';
import { batchOf, scanned, storeConformance } from '../../graph/store-conformance.ts';

let folder = '';
storeConformance('RocksDB', {
  open: async () => {
    folder = await freshFolder();
    return openRocksdb(folder);
  },
  reopen: async (store) => {
    await store.close();
    return openRocksdb(folder);
  },
});

const writer = join(import.meta.dirname, 'store-writer.ts');
/** Runs store-writer.ts, which writes batch after batch until it is killed or fails. */
const writing = (target: string, shell = '') =>
  spawn('sh', ['-c', `${shell} exec "$0" "$@"`, process.execPath, writer, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

/** The child's first complete line with this beginning. The output is read to its end, because a closed pipe would kill the child. */
function said(child: ChildProcess, start: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += String(chunk);
    const line = text.split('\n').find((each, i, all) => each.startsWith(start) && i < all.length - 1);
    if (line !== undefined) resolve(line);
  });
  child.on('exit', () => reject(new Error(`the writer ended before it said ${start}: ${text}`)));
  return promise;
}

/** Numbers of the stored batches. Each batch wrote its number to 500 keys; an incomplete batch fails the test. */
async function wholeBatches(target: string): Promise<number> {
  const store = await openRocksdb(target);
  const found = await scanned(store.scan(Buffer.from('k')));
  const marker = await scanned(store.scan(Buffer.from('last')));
  await store.close();
  expect(found).toHaveLength(500);
  expect(new Set(found.map(([, value]) => value)).size).toBe(1);
  expect(marker[0]?.[1]).toBe(found[0]?.[1]);
  return Buffer.from(found[0]?.[1].slice(0, 8) ?? '', 'hex').readUInt32BE(0);
}

describe('RocksDB as a store on disk', () => {
  test('tells its memory while open, and undefined once closed', async () => {
    const target = await freshFolder();
    const store = await openRocksdb(target);
    const before = await store.memory?.();
    const batch = new WriteBatch();
    for (let i = 0; i < 1_000; i++) batch.put(Buffer.from(`k${i}`), Buffer.alloc(1_000));
    await store.write(batch);
    const written = await store.memory?.();
    // All bytes are in the memtable, which becomes a file at a far greater size.
    expect(written?.memtables).toBeGreaterThan((before?.memtables ?? 0) + 1_000_000);
    await store.close();
    expect(await store.memory?.()).toBeUndefined();
    // Opening writes the memtable to a file, so the blocks that are read are in the cache.
    const again = await openRocksdb(target);
    const unread = await again.memory?.();
    for await (const _ of again.scan(Buffer.from('k')));
    const read = await again.memory?.();
    await again.close();
    expect(read?.cache).toBeGreaterThan((unread?.cache ?? 0) + 500_000);
    expect(read?.readers).toBeGreaterThan(0);
  });

  test('refuses a second writer of this or another process, and admits a reader', async () => {
    const target = await freshFolder();
    const child = writing(target);
    await said(child, 'wrote 3');
    await expect(openRocksdb(target)).rejects.toMatchObject({ name: 'FatalError', code: 'store-in-use' });
    // A file may change while the reader opens: the reader tries again, like `state/open`.
    const reader = await vi.waitFor(() => openRocksdb(target, { readOnly: true }), { timeout: 60_000 });
    expect(await scanned(reader.scan(Buffer.from('k')))).toHaveLength(500);
    await expect(reader.write(batchOf(['61', '01']))).rejects.toMatchObject({ code: 'store-write' });
    await reader.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const own = await openRocksdb(target);
    await expect(openRocksdb(target)).rejects.toMatchObject({ code: 'store-in-use' });
    await own.close();
    await (await openRocksdb(target)).close();
  });

  test('errors of opening name the folder and the problem', async () => {
    const missing = join(await freshFolder(), 'none');
    await expect(openRocksdb(missing, { readOnly: true })).rejects.toMatchObject({
      name: 'FatalError',
      code: 'store-missing',
      message: expect.stringContaining(missing),
    });
    const file = join(await freshFolder(), 'a-file');
    await writeFile(file, '');
    const damaged = await freshFolder();
    await (await openRocksdb(damaged)).close();
    await writeFile(join(damaged, 'CURRENT'), 'MANIFEST-009999\n');
    for (const [target, readOnly] of [
      [join(file, 'below'), false],
      [damaged, false],
      [damaged, true],
    ] as const) {
      await expect(openRocksdb(target, { readOnly })).rejects.toMatchObject({
        name: 'FatalError',
        code: 'store-open',
        message: expect.stringContaining(target),
      });
    }
  });

  test('after kill -9 during writes the store holds only whole batches, and every acknowledged batch', async () => {
    const target = await freshFolder();
    let last = 0;
    for (const batches of [5, 30, 60]) {
      const child = writing(target);
      const line = await said(child, `wrote ${last + batches}`);
      child.kill('SIGKILL');
      await once(child, 'exit');
      last = await wholeBatches(target);
      expect(last).toBeGreaterThanOrEqual(Number(line.slice('wrote '.length)));
    }
  });

  test('a full disk fails the write, names the folder, and only whole batches are kept', async () => {
    const target = await freshFolder();
    // No file may exceed 2 MiB; the error of the limit is like the error of a full disk.
    const child = writing(target, `trap '' XFSZ; ulimit -f 2048;`);
    const line = await said(child, 'failed');
    await once(child, 'exit');
    expect(line).toContain('store-write');
    expect(line).toContain(target);
    expect(await wholeBatches(target)).toBeGreaterThan(0);
  });

  test('a full disk at the opening is no damage: the store opens again once there is room', async ({
    skip,
  }) => {
    const [source, disk] = [await freshFolder(), await freshFolder()];
    const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { encoding: 'utf8' });
    if (mount.status !== 0)
      return skip(`a small disk can't be mounted: ${mount.error?.message ?? mount.stderr}`);
    try {
      const store = await openRocksdb(source);
      await store.write(batchOf(['61', '01']));
      // As a kill leaves it: an opening moves what is in the log to a file of its own.
      await cp(source, join(disk, 'killed'), { recursive: true });
      await store.close();
      await expect(writeFile(join(disk, 'other'), Buffer.alloc(2 ** 21))).rejects.toThrow(/ENOSPC/);
      for (const name of ['killed', 'new', 'new/below']) {
        const opening = openRocksdb(join(disk, name));
        await expect(opening).rejects.toMatchObject({ name: 'FatalError', code: 'store-write' });
        await expect(opening).rejects.toThrow(/No space left on device\. Free space and start again/);
        await expect(opening).rejects.not.toThrow(/restore|damaged/);
      }
      await rm(join(disk, 'other'));
      const again = await openRocksdb(join(disk, 'killed'));
      expect(await scanned(again.scan(Buffer.from('a')))).toEqual([['61', '01']]);
      await again.close();
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  });

  test('a damaged block that a compaction reads first is damage, and no full disk', async () => {
    const target = await flushed();
    const [table = ''] = (await readdir(target)).filter((name) => name.endsWith('.sst'));
    const file = await open(join(target, table), 'r+');
    // In the middle are keys from k0200 on.
    const at = Math.floor((await stat(join(target, table))).size / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.of(buffer[0]! ^ 1), 0, 1, at);
    await file.close();
    const store = await openRocksdb(target);
    expect(await scanned(store.scan(Buffer.from('k000')))).toHaveLength(10);
    await expect(scanned(store.scan(Buffer.from('k')))).rejects.toMatchObject({ code: 'store-read' });
    // A few tables with these keys are compacted.
    const compacting = async () => {
      for (let table = 0; table < 100; table++) {
        await store.write(batchOf(['6b', '01'], ['6c', '01']));
        await store.sync();
      }
    };
    const compacted = compacting();
    await expect(compacted).rejects.toMatchObject({ name: 'FatalError', code: 'store-read' });
    await expect(compacted).rejects.toThrow(
      /written because of a damaged file \(see twhin check\): .*checksum mismatch.*restore a backup/,
    );
    await store.close();
  });

  test('an error of the caller inside a scan is passed on unchanged', async () => {
    const store = await openRocksdb(await freshFolder());
    await store.write(batchOf(['61', '01']));
    const own = new Error('own');
    const reading = async () => {
      for await (const _ of store.scan(Buffer.from('a'))) throw own;
    };
    await expect(reading()).rejects.toBe(own);
    await store.close();
  });

  test('a truncated log of writes opens at the end of an earlier whole write', async () => {
    const target = await freshFolder();
    const store = await openRocksdb(target);
    for (let n = 1; n <= 3; n++) {
      await store.write(batchOf(...[0, 1, 2].map((i) => [`6b0${i}`, `0${n}`.repeat(50)] as const)));
    }
    const killed = await freshFolder();
    await cp(target, killed, { recursive: true });
    await store.close();
    const [log = ''] = (await readdir(killed)).filter((name) => /^\d+\.log$/.test(name));
    const { length } = await readFile(join(killed, log));
    await truncate(join(killed, log), length - 20);
    const left = await openRocksdb(killed);
    expect((await scanned(left.scan(Buffer.from('k')))).map(([, value]) => value.slice(0, 2))).toEqual([
      '02',
      '02',
      '02',
    ]);
    await left.close();
  });

  test('a closed durable store has all data in its tables', async () => {
    const target = await flushed();
    for (const name of await readdir(target)) if (name.endsWith('.log')) await rm(join(target, name));
    expect(await wholeBatches(target)).toBe(1);
  });

  /** A store with one batch of 500 keys, flushed to a table. */
  async function flushed(): Promise<string> {
    const target = await freshFolder();
    const store = await openRocksdb(target, { durable: true });
    const value = `00000001${'ab'.repeat(200)}`;
    const keys = Array.from({ length: 500 }, (_, i) => `k${String(i).padStart(4, '0')}`);
    await store.write(
      batchOf(...[...keys, 'last'].map((key) => [Buffer.from(key).toString('hex'), value] as const)),
    );
    await store.close();
    return target;
  }
});
