import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkpointFiles } from '../../src/adapters/checkpoint-file.ts';
import { openBackedUp, writeBackup } from '../../src/backup/backup.ts';
import { type Manifest, readManifest } from '../../src/backup/manifest.ts';
import { configFileSchema } from '../../src/config/schema.ts';
import type { CheckpointBlock } from '../../src/graph/checkpoint.ts';
import { STATE_NUMBERS } from '../../src/graph/entity-index.ts';
import { GraphStore } from '../../src/graph/graph-store.ts';
import { encodeHead, fingerprint } from '../../src/graph/head.ts';
import { Layout } from '../../src/graph/layout.ts';
import type { Entry } from '../../src/graph/store.ts';
import { portWith } from '../fixtures/port.ts';
import { freshFolder } from '../fresh-folder.ts';
import { filled, HEAD_OF_FILLED, put } from '../graph/check/check-fixture.ts';
import { graph, MODEL } from '../graph/graph-fixture.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { ABOUT, checkpointOf, everything, forge, large, read, readCheckpoint } from './backup-fixture.ts';

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

/** A view whose scan fails after a number of entries. */
function dying(store: GraphStore, entries: number): GraphStore {
  const { entries: whole } = store;
  const cut = portWith(whole, {
    async *scan(prefix): AsyncIterable<Entry> {
      let left = entries;
      for await (const entry of whole.scan(prefix)) {
        if (left-- === 0) throw new Error('killed');
        yield entry;
      }
    },
  });
  return new GraphStore(cut, store.layout);
}

/** Puts other entries in place, and a manifest that matches but for `change`. */
async function replace(bytes: Buffer, entries: number, change: object = {}): Promise<void> {
  const packed = zstdCompressSync(bytes);
  const sha256 = createHash('sha256').update(packed).digest('hex');
  await writeFile(join(folder, `${sha256}.zst`), packed);
  const named = { sha256, fileBytes: packed.length, bytes: bytes.length, entries };
  await forge(folder, (before) => ({ ...before, ...named, ...change }));
}

/** The names in the folder of a backup, in order. */
const filesOf = ({ sha256, checkpoint }: Manifest) =>
  [`${sha256}.zst`, ...(checkpoint ? [`${checkpoint.sha256}.checkpoint`] : []), 'manifest.json'].sort();

/** The same store, as another command opens it. */
const again = ({ entries, layout }: GraphStore) => new GraphStore(entries, layout);

/** The same store with another number in user:a's row. */
async function withNumber(store: GraphStore, number: number): Promise<GraphStore> {
  const { head, blocks } = (await store.checkpoint())!;
  async function* changed(): AsyncIterable<CheckpointBlock> {
    for await (const block of blocks()) {
      block.floats[16] = number;
      yield block;
    }
  }
  await store.checkpoints.write(head, changed());
  return again(store);
}

describe('a backup', () => {
  test('holds every entry and the checkpoint, and its manifest describes both', async () => {
    const store = await filled();
    await put(store, 'j0000000000000002', Buffer.of(1, 2, 3));
    const manifest = await writeBackup(folder, store, ABOUT);
    const file = await readFile(join(folder, `${manifest.sha256}.zst`));
    const checkpoint = await readFile(join(folder, `${manifest.checkpoint?.sha256}.checkpoint`));
    const sumOf = (bytes: Buffer) => ({
      fileBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(manifest).toEqual({
      format: 6,
      graph: 'test',
      store: 'main',
      at: ABOUT.at,
      fingerprint: fingerprint(MODEL),
      set: ['dim=2'],
      head: HEAD_OF_FILLED,
      entries: 13,
      bytes: (await everything(store)).reduce(
        (sum, [key, value]) => sum + 6 + (key.length + value.length) / 2,
        0,
      ),
      ...sumOf(file),
      checkpoint: sumOf(checkpoint),
    });
    expect(await readManifest(folder, 'test')).toEqual(manifest);
    expect(await read(folder, manifest)).toEqual(await everything(store));
    expect(await readCheckpoint(folder, manifest)).toEqual(await checkpointOf(store));
    expect((await readdir(folder)).sort()).toEqual(filesOf(manifest));
  });

  test('has no checkpoint where the head names none', async () => {
    const store = await filled();
    await put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, checkpoint: 0 }));
    const manifest = await writeBackup(folder, store, ABOUT);
    expect(manifest).not.toHaveProperty('checkpoint');
    expect(await readManifest(folder, 'test')).toEqual(manifest);
    expect(await openBackedUp(folder, manifest)).toBeUndefined();
    expect((await readdir(folder)).sort()).toEqual(filesOf(manifest));
  });

  test('is of the checkpoint that the view has open, whatever its writer removes meanwhile', async () => {
    const files = checkpointFiles(join(folder, 'db'), MODEL.dim + 2);
    await mkdir(join(folder, 'db'));
    const store = await filled(
      new GraphStore(portWith(new MemoryStore(), { checkpointsOf: () => files }), new Layout(MODEL)),
    );
    const blocks = await checkpointOf(store);
    await files.dropBefore(2);
    const manifest = await writeBackup(join(folder, 'backup'), store, ABOUT);
    expect(await readCheckpoint(join(folder, 'backup'), manifest)).toEqual(blocks);
    await store.close();
  });

  test('takes the place of the one before, or leaves that as it was', async () => {
    let store = await large();
    const before = await everything(store);
    const rows = await checkpointOf(store);
    const manifest = await writeBackup(folder, store, ABOUT);
    // An entry that is unpacked in many parts.
    await put(store, 'q3830', Buffer.alloc(2_000_000, 7));
    store = await withNumber(store, 9);
    await expect(writeBackup(folder, dying(store, 25_000), ABOUT)).rejects.toThrow('killed');
    // Files that a kill leaves: before the renames of the data, and before that of the manifest.
    await writeFile(join(folder, 'zst.partial'), 'half');
    await writeFile(join(folder, 'checkpoint.partial'), Buffer.alloc(10_000));
    await writeFile(join(folder, `${'b'.repeat(64)}.checkpoint`), 'whole');
    await writeFile(join(folder, `${'a'.repeat(64)}.zst`), 'whole');
    expect(await readManifest(folder, 'test')).toEqual(manifest);
    expect(await read(folder, manifest)).toEqual(before);
    expect(await readCheckpoint(folder, manifest)).toEqual(rows);

    const second = await writeBackup(folder, store, ABOUT);
    expect(await read(folder, second)).toEqual(await everything(store));
    expect((await readCheckpoint(folder, second))[0]?.floats[16]).toBe(9);
    expect((await readdir(folder)).sort()).toEqual(filesOf(second));
    expect(await writeBackup(folder, store, ABOUT)).toEqual(second);
    expect(await read(folder, second)).toEqual(await everything(store));
  });

  test('of a store that does not match its head is refused, and the previous backup is kept', async () => {
    const store = await filled();
    const manifest = await writeBackup(folder, store, ABOUT);
    const wrong = [
      ['entities', { entities: { user: 3, tweet: 1 } }, '2 entities (user), and its head counts 3'],
      ['edges', { edges: { follows: 2, likes: 2 } }, '1 live edges (likes), and its head counts 2'],
    ] as const;
    for (const [, change, reason] of wrong) {
      await put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, ...change }));
      await expect(writeBackup(folder, store, ABOUT)).rejects.toMatchObject({
        name: 'FatalError',
        code: 'backup-inconsistent',
        message: expect.stringContaining(reason),
      });
    }
    await put(store, 'm', encodeHead({ ...HEAD_OF_FILLED, checkpoint: 7 }));
    await expect(writeBackup(folder, again(store), ABOUT)).rejects.toMatchObject({ code: 'store-damaged' });
    await put(store, 'm', undefined);
    await expect(writeBackup(folder, store, ABOUT)).rejects.toMatchObject({ code: 'store-missing' });
    await expect(writeBackup(folder, graph(), ABOUT)).rejects.toMatchObject({ code: 'store-missing' });
    expect(await readManifest(folder, 'test')).toEqual(manifest);
    expect((await readdir(folder)).sort()).toEqual(filesOf(manifest));
  });

  test("that can't be written fails with the path, and the previous backup is unchanged", async () => {
    const store = await filled();
    const failure = {
      name: 'FatalError',
      code: 'backup-write',
      message: expect.stringMatching(/The previous backup is unchanged; free space/),
    };
    await writeFile(join(folder, 'file'), '');
    await expect(writeBackup(join(folder, 'file'), store, ABOUT)).rejects.toMatchObject(failure);
    const manifest = await writeBackup(folder, store, ABOUT);
    // A disk that is full, in the place of the files that are being written.
    const full = { code: 'backup-write', message: expect.stringMatching(/can't be written: .*ENOSPC/) };
    for (const partial of ['zst.partial', 'checkpoint.partial']) {
      await symlink('/dev/full', join(folder, partial));
      await expect(writeBackup(folder, await large(), ABOUT)).rejects.toMatchObject(full);
    }
    expect(await readManifest(folder, 'test')).toEqual(manifest);
    expect(await read(folder, manifest)).toEqual(await everything(store));
    await rm(join(folder, 'manifest.json'));
    // A folder is in the place of the manifest.
    await mkdir(join(folder, 'manifest.json', 'x'), { recursive: true });
    await expect(writeBackup(folder, store, ABOUT)).rejects.toMatchObject(failure);
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  test("is whole where the previous files can't be removed, and the error says so", async () => {
    const left = join(folder, `${'a'.repeat(64)}.zst`);
    await mkdir(left);
    await expect(writeBackup(folder, await filled(), ABOUT)).rejects.toMatchObject({
      code: 'backup-write',
      message: expect.stringMatching(/the new backup in .* is whole, but .* can't be removed/),
    });
    const manifest = await readManifest(folder, 'test');
    expect(await read(folder, manifest!)).toEqual(await everything(await filled()));
  });

  test('takes the states of the largest commit that a configuration may ask for', async () => {
    const { commit, training } = configFileSchema.shape;
    const [commitEdges, batchEdges] = [500_000, 65_536];
    const may = (more: number) => [
      commit.safeParse({ everyEdges: commitEdges + more }).success,
      training.safeParse({ batchEdges: batchEdges + more }).success,
    ];
    expect([may(0), may(1)]).toEqual([
      [true, true],
      [false, false],
    ]);
    const store = await filled();
    // Both ends of each edge that a commit holds, and as many rows whose turn it is.
    const count = 2 * (commitEdges + batchEdges + 1);
    const rows = Int32Array.from({ length: count }, (_, row) => row);
    const states = new Float64Array(2 * STATE_NUMBERS * count).fill(7);
    const packed = { rows, turn: 0, from: 0, to: count, states, pages: [] };
    await store.commit({ head: (await store.head())!, packed });
    const { entries, sha256 } = await writeBackup(folder, store, ABOUT);
    // Reading takes the entry by its length: the rest of its bytes would be copied once for each 16 kB that are unpacked.
    const whole = zstdDecompressSync(await readFile(join(folder, `${sha256}.zst`)));
    expect(whole.length).toBeGreaterThan(50_000_000);
    await replace(whole.subarray(0, 1_000_000), entries);
    const cut = { code: 'backup-damaged', message: expect.stringContaining('its last entry is cut') };
    await expect(read(folder, (await readManifest(folder, 'test'))!)).rejects.toMatchObject(cut);
  });

  test('refuses an entry that is too large', async () => {
    const store = await filled();
    await put(store, 'q00004000', Buffer.alloc(64 * 1024 * 1024));
    await expect(writeBackup(folder, store, ABOUT)).rejects.toMatchObject({ code: 'backup-inconsistent' });
  });
});

describe('a damaged backup', () => {
  let manifest: Manifest;
  beforeEach(async () => {
    manifest = await writeBackup(folder, await filled(), ABOUT);
  });

  const entriesFile = () => join(folder, `${manifest.sha256}.zst`);
  const checkpointFile = () => join(folder, `${manifest.checkpoint?.sha256}.checkpoint`);
  const manifestFile = () => join(folder, 'manifest.json');
  const readAgain = async () => {
    const again = (await readManifest(folder, 'test'))!;
    await readCheckpoint(folder, again);
    return read(folder, again);
  };
  const damaged = (reason: RegExp) => ({
    name: 'FatalError',
    code: 'backup-damaged',
    message: expect.stringMatching(new RegExp(`${folder}.*${reason.source}`, 's')),
  });

  test('is undefined where there is no manifest', async () => {
    await rm(manifestFile());
    expect(await readManifest(folder, 'test')).toBeUndefined();
    expect(await readManifest(join(folder, 'nowhere'), 'test')).toBeUndefined();
  });

  test.each([
    ['entries', entriesFile],
    ['a checkpoint', checkpointFile],
  ])('is refused for %s missing, cut or longer', async (_, fileOf) => {
    const file = fileOf();
    const whole = await readFile(file);
    const size = damaged(/it is missing, or its size is not \d+ bytes/);
    await truncate(file, whole.length - 1);
    await expect(readAgain()).rejects.toMatchObject(size);
    await writeFile(file, Buffer.concat([whole, Buffer.of(0)]));
    await expect(readAgain()).rejects.toMatchObject(size);
    await rm(file);
    await expect(readAgain()).rejects.toMatchObject(size);
  });

  test.each([
    ['the entries', entriesFile],
    ['the checkpoint', checkpointFile],
  ])('is refused for any bit of %s that is flipped', async (_, fileOf) => {
    const whole = await readFile(fileOf());
    const bit = fc.nat({ max: whole.length * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(bit, async (at) => {
        const flipped = Buffer.from(whole);
        flipped[at >> 3]! ^= 1 << (at & 7);
        await writeFile(fileOf(), flipped);
        await expect(readAgain()).rejects.toMatchObject(damaged(/its SHA-256 is not its name/));
      }),
    );
  });

  test('is refused for the checkpoint of another commit, though its name is right', async () => {
    await forge(folder, (before) => ({ ...before, head: { ...before.head, checkpoint: 2 } }));
    await expect(readAgain()).rejects.toMatchObject(damaged(/it is of commit 1 with rows of 4 numbers/));
  });

  test('is refused for a manifest that was changed or cut, or is not a manifest', async () => {
    const text = await readFile(manifestFile(), 'utf8');
    for (const [changed, reason] of [
      [text.replace('"step":7', '"step":8'), /its checksum does not match/],
      [text.replace(/,"checksum":"[0-9a-f]+"/, ''), /its checksum does not match/],
      [text.slice(0, -20), /JSON/],
      ['[]', /it is not a manifest/],
      ['{"a":1}', /it is not a manifest/],
    ] as const) {
      expect(changed).not.toBe(text);
      await writeFile(manifestFile(), changed);
      await expect(readManifest(folder, 'test')).rejects.toMatchObject(damaged(reason));
    }
  });

  test('is refused for impossible values, though the checksum matches', async () => {
    for (const [change, reason] of [
      [{ sha256: '../../../../etc/passwd' }, /64 hex digits/],
      [{ checkpoint: { fileBytes: 1, sha256: '../up' } }, /64 hex digits/],
      [{ bytes: 0.5 }, /bytes/],
      [{ entries: -1 }, /entries/],
      [{ head: { ...HEAD_OF_FILLED, rows: 0.5 } }, /head\.rows/],
    ] as const) {
      await writeBackup(folder, await filled(), ABOUT);
      await forge(folder, (before) => ({ ...before, ...change }));
      await expect(readManifest(folder, 'test')).rejects.toMatchObject(damaged(reason));
    }
  });

  test('of another format or graph is refused by name', async () => {
    await expect(readManifest(folder, 'follow')).rejects.toMatchObject({
      code: 'backup-read',
      message: expect.stringContaining('is of the graph test, not of follow'),
    });
    await forge(folder, (before) => ({ ...before, format: 4 }));
    await expect(readManifest(folder, 'test')).rejects.toMatchObject({
      code: 'backup-read',
      message: expect.stringContaining(
        'has format 4, and this version reads format 6: restore it with the version that wrote it',
      ),
    });
  });

  test('is refused for entries that are not what the manifest says, and too many are not unpacked', async () => {
    const one = (key: string, value = '') =>
      Buffer.from(`0100${value === '' ? '00' : '01'}000000${key}${value}`, 'hex');
    await replace(one('61', '01'), 1);
    expect(await readAgain()).toEqual([['61', '01']]);
    for (const [bytes, entries, change, reason] of [
      [Buffer.alloc(64 * 1024 * 1024), 1, { bytes: 8 }, /it holds more than the 8 bytes/],
      [one('61'), 1, { bytes: 9 }, /1 entries in 7 bytes, the manifest says 1 in 9/],
      [one('61'), 2, {}, /1 entries in 7 bytes, the manifest says 2/],
      [Buffer.from('0100ffffffff6101', 'hex'), 1, {}, /entry 0 has 4294967302 bytes/],
      [Buffer.concat([one('61'), Buffer.from('0100', 'hex')]), 1, {}, /its last entry is cut/],
      [Buffer.from('010002000000' + '6101', 'hex'), 1, {}, /its last entry is cut/],
      [Buffer.concat([one('62'), one('61')]), 2, {}, /its keys do not ascend/],
      [Buffer.concat([one('62'), one('62')]), 2, {}, /its keys do not ascend/],
    ] as const) {
      await replace(bytes, entries, change);
      await expect(readAgain()).rejects.toMatchObject(damaged(reason));
    }
  });
});
