import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/backup/manifest.ts';
import { writeBackup } from '../../src/backup/write.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { encodeHead, fingerprint } from '../../src/graph/head.ts';
import type { Entry, Store } from '../../src/graph/store.ts';
import { filled, HEAD_OF_FILLED, put } from '../graph/check/check-fixture.ts';
import { graph, MODEL } from '../graph/graph-fixture.ts';
import { ABOUT, chunkFiles, everything, type Folder, folder, large, read } from './backup-fixture.ts';

let at: Folder;
beforeEach(async () => {
  at = await folder();
});
afterEach(() => at.remove());

/** A view whose scan fails after a number of entries. */
function dying(store: GraphStore, entries: number): GraphStore {
  const { entries: whole } = store;
  const cut: Store = {
    getMany: (keys) => whole.getMany(keys),
    write: (batch) => whole.write(batch),
    close: () => whole.close(),
    runs: (prefix) => whole.runs(prefix),
    async *scan(prefix): AsyncIterable<Entry> {
      let left = entries;
      for await (const entry of whole.scan(prefix)) {
        if (left-- === 0) throw new Error('killed');
        yield entry;
      }
    },
  };
  return new GraphStore(cut, store.layout);
}

describe('a backup', () => {
  test('holds every entry, and its manifest describes it', async () => {
    const store = await filled();
    const { manifest, written } = await writeBackup(at.path, store, ABOUT);
    const [name = ''] = await chunkFiles(at.path);
    const file = await readFile(join(at.path, 'chunks', name));
    expect(manifest).toEqual({
      format: 1,
      graph: 'test',
      store: 'main',
      at: ABOUT.at,
      fingerprint: fingerprint(MODEL),
      set: ['dim=2'],
      head: HEAD_OF_FILLED,
      entries: 21,
      bytes: expect.any(Number),
      chunks: [{ sha256: name, fileBytes: file.length, bytes: manifest.bytes, entries: 21 }],
    });
    expect(written).toEqual({ chunks: 1, bytes: file.length });
    expect(await readManifest(at.path, 'test')).toEqual(manifest);
    expect(await read(at.path, manifest)).toEqual(await everything(store));
    expect((await readdir(at.path)).sort()).toEqual(['chunks', 'manifest.json']);
  });

  test('writes only changed chunks, and removes chunks no longer in the manifest', async () => {
    const store = await large();
    const first = await writeBackup(at.path, store, ABOUT);
    expect(first.manifest.chunks.length).toBeGreaterThan(3);
    const again = await writeBackup(at.path, store, { ...ABOUT, at: 'later' });
    expect([again.written.chunks, again.removed, again.manifest.at]).toEqual([0, 0, 'later']);

    await put(store, 'v00004000', Buffer.alloc(600, 7));
    const changed = await writeBackup(at.path, store, ABOUT);
    expect([changed.written.chunks, changed.removed]).toEqual([1, 1]);
    expect(await chunkFiles(at.path)).toEqual(changed.manifest.chunks.map(({ sha256 }) => sha256).sort());
    expect(await read(at.path, changed.manifest)).toEqual(await everything(store));
  });

  test('replaces a damaged chunk', async () => {
    const store = await large();
    const { manifest } = await writeBackup(at.path, store, ABOUT);
    const [flipped, cut] = manifest.chunks.map(({ sha256 }) => join(at.path, 'chunks', sha256));
    const bytes = await readFile(flipped ?? '');
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    await writeFile(flipped ?? '', bytes);
    await writeFile(cut ?? '', '');
    const { written } = await writeBackup(at.path, store, ABOUT);
    expect(written.chunks).toBe(2);
    expect(await read(at.path, manifest)).toEqual(await everything(store));
  });

  test('interrupted, leaves the previous backup intact, and its chunks are used by the next backup', async () => {
    const store = await large();
    const before = await everything(store);
    const { manifest } = await writeBackup(at.path, store, ABOUT);
    for (let row = 100; row < 33_000; row += 100)
      await put(store, `v${row.toString(16).padStart(8, '0')}`, Buffer.alloc(600, 1));
    await expect(writeBackup(at.path, dying(store, 25_000), ABOUT)).rejects.toThrow('killed');
    // Other files that a kill leaves.
    await writeFile(join(at.path, 'chunks', `${'a'.repeat(64)}.part`), 'half');
    expect(await readManifest(at.path, 'test')).toEqual(manifest);
    expect(await read(at.path, manifest)).toEqual(before);

    const second = await writeBackup(at.path, store, ABOUT);
    expect(second.written.chunks).toBeGreaterThan(0);
    expect(second.written.chunks).toBeLessThan(second.manifest.chunks.length - 1);
    expect(await read(at.path, second.manifest)).toEqual(await everything(store));
    expect(await chunkFiles(at.path)).toEqual(second.manifest.chunks.map(({ sha256 }) => sha256).sort());
  });

  test('of a store that does not match its head is refused, and the previous backup is kept', async () => {
    const store = await filled();
    const { manifest } = await writeBackup(at.path, store, ABOUT);
    const wrong = [
      ['entities', { entities: { user: 3, tweet: 1 } }, '2 entities of type user, the head counts 3'],
      ['edges', { edges: { follows: 2, likes: 2 } }, '1 live likes edges, the head counts 2'],
      ['outbox', { outbox: 2 }, '1 vectors to publish, the head counts 2'],
      ['parts', { outboxParts: 2 }, '1 parts of the outbox, the head counts 2'],
    ] as const;
    for (const [, change, reason] of wrong) {
      await put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, ...change }));
      await expect(writeBackup(at.path, store, ABOUT)).rejects.toMatchObject({
        name: 'FatalError',
        code: 'backup-inconsistent',
        message: expect.stringContaining(reason),
      });
    }
    await put(store, 'm', undefined);
    await expect(writeBackup(at.path, store, ABOUT)).rejects.toMatchObject({ code: 'backup-empty' });
    await expect(writeBackup(at.path, graph(), ABOUT)).rejects.toMatchObject({ code: 'backup-empty' });
    expect(await readManifest(at.path, 'test')).toEqual(manifest);
  });

  test("that can't be written fails with the path, and the previous backup is unchanged", async () => {
    const store = await filled();
    const failure = {
      name: 'FatalError',
      code: 'backup-write',
      message: expect.stringMatching(/The previous backup is unchanged; free space/),
    };
    await writeFile(join(at.path, 'file'), '');
    await expect(writeBackup(join(at.path, 'file'), store, ABOUT)).rejects.toMatchObject(failure);
    // A folder is in the place of the manifest.
    await mkdir(join(at.path, 'manifest.json', 'x'), { recursive: true });
    await expect(writeBackup(at.path, store, ABOUT)).rejects.toMatchObject(failure);
    expect((await readdir(at.path)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});
