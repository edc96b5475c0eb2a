import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256 } from '../../src/backup/files.ts';
import { type Manifest, readManifest } from '../../src/backup/manifest.ts';
import { writeBackup } from '../../src/backup/write.ts';
import { filled } from '../graph/check/check-fixture.ts';
import { ABOUT, type Folder, folder, forge, large, read } from './backup-fixture.ts';

let at: Folder;
let manifest: Manifest;
beforeEach(async () => {
  at = await folder();
  ({ manifest } = await writeBackup(at.path, await filled(), ABOUT));
});
afterEach(() => at.remove());

const chunk = (i = 0) => join(at.path, 'chunks', manifest.chunks[i]?.sha256 ?? '');
const manifestFile = () => join(at.path, 'manifest.json');
const readAgain = async () => {
  const found = await readManifest(at.path, 'test');
  if (found === undefined) throw new Error('no manifest');
  return read(at.path, found);
};
const damagedAt = (path: string, reason: RegExp) => ({
  name: 'FatalError',
  code: 'backup-damaged',
  message: expect.stringMatching(new RegExp(`${path}.*${reason.source}`, 's')),
});

/** Replaces the only chunk, and writes a matching manifest with `change`. */
async function replaceChunk(bytes: Buffer, change: object = {}): Promise<void> {
  const packed = zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 0 } });
  await writeFile(join(at.path, 'chunks', sha256(packed)), packed);
  const named = { sha256: sha256(packed), fileBytes: packed.length, bytes: bytes.length, entries: 1 };
  await forge(at.path, (before) => ({ ...before, entries: 1, chunks: [{ ...named, ...change }] }));
}

describe('a damaged backup', () => {
  test('is undefined where there is no manifest', async () => {
    await rm(manifestFile());
    expect(await readManifest(at.path, 'test')).toBeUndefined();
    expect(await readManifest(join(at.path, 'nowhere'), 'test')).toBeUndefined();
  });

  test('is refused for a chunk that is missing, cut, longer or flipped', async () => {
    const whole = await readFile(chunk());
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1] = (whole[whole.length >> 1] ?? 0) ^ 0x10;
    await writeFile(chunk(), flipped);
    await expect(readAgain()).rejects.toMatchObject(damagedAt(chunk(), /its SHA-256 is not its name/));
    await truncate(chunk(), whole.length - 1);
    await expect(readAgain()).rejects.toMatchObject(
      damagedAt(chunk(), /it is missing, or its size is not \d+ bytes/),
    );
    await writeFile(chunk(), Buffer.concat([whole, Buffer.of(0)]));
    await expect(readAgain()).rejects.toMatchObject(damagedAt(chunk(), /it is missing, or its size is not/));
    await rm(chunk());
    await expect(readAgain()).rejects.toMatchObject(damagedAt(chunk(), /it is missing, or its size is not/));
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
      await expect(readManifest(at.path, 'test')).rejects.toMatchObject(damagedAt(manifestFile(), reason));
    }
  });

  test('is refused for impossible values, though the checksum matches', async () => {
    const withChunk = (change: object) => (before: Manifest) => ({
      ...before,
      chunks: before.chunks.map((each) => ({ ...each, ...change })),
    });
    for (const [change, reason] of [
      [withChunk({ sha256: '../../../../etc/passwd' }), /64 hex digits/],
      [withChunk({ sha256: `${'a'.repeat(60)}/../` }), /64 hex digits/],
      [withChunk({ bytes: 2 ** 40 }), /chunks\[0\]\.bytes/],
      [withChunk({ fileBytes: 2 ** 40 }), /chunks\[0\]\.fileBytes/],
      [withChunk({ entries: -1 }), /chunks\[0\]\.entries/],
      [(before: Manifest) => ({ ...before, head: { ...before.head, rows: 0.5 } }), /head\.rows/],
    ] as const) {
      await writeBackup(at.path, await filled(), ABOUT);
      await forge(at.path, change);
      await expect(readManifest(at.path, 'test')).rejects.toMatchObject(damagedAt(manifestFile(), reason));
    }
  });

  test('of another format or graph is refused by name', async () => {
    await expect(readManifest(at.path, 'follow')).rejects.toMatchObject({
      code: 'backup-graph',
      message: expect.stringContaining('is of the graph test, not of follow'),
    });
    await forge(at.path, (before) => ({ ...before, format: 2 }));
    await expect(readManifest(at.path, 'test')).rejects.toMatchObject({
      code: 'backup-format',
      message: expect.stringContaining('has format 2, and this version reads format 1'),
    });
  });

  test('is refused for a chunk larger than its size in the manifest, without unpacking the rest', async () => {
    const entry = Buffer.from('010001000000' + '6101', 'hex');
    await replaceChunk(entry);
    expect(await readAgain()).toEqual([['61', '01']]);
    await replaceChunk(Buffer.alloc(64 * 1024 * 1024), { bytes: 8 });
    await expect(readAgain()).rejects.toMatchObject(
      damagedAt('chunks', /Cannot create a Buffer larger than 8 bytes/),
    );
    await replaceChunk(entry, { bytes: 9 });
    await expect(readAgain()).rejects.toMatchObject(
      damagedAt('chunks', /1 entries in 8 bytes, the manifest says 1 in 9/),
    );
    await replaceChunk(Buffer.from('0100ffffffff6101', 'hex'));
    await expect(readAgain()).rejects.toMatchObject(
      damagedAt('chunks', /an entry at 0 reaches beyond its chunk/),
    );
    await replaceChunk(entry, { entries: 2 });
    await expect(readAgain()).rejects.toMatchObject(
      damagedAt('chunks', /1 entries in 8 bytes, the manifest says 2/),
    );
  });

  test('is refused for missing, repeated or unordered entries', async () => {
    const one = (key: string) => Buffer.from(`010000000000${key}`, 'hex');
    await replaceChunk(Buffer.concat([one('62'), one('61')]), { entries: 2 });
    await expect(readAgain()).rejects.toMatchObject(damagedAt('chunks', /its keys do not ascend/));
    await replaceChunk(Buffer.concat([one('62'), one('62')]), { entries: 2 });
    await expect(readAgain()).rejects.toMatchObject(damagedAt('chunks', /its keys do not ascend/));

    ({ manifest } = await writeBackup(at.path, await large(), ABOUT));
    await forge(at.path, (before) => ({ ...before, chunks: before.chunks.toReversed() }));
    await expect(readAgain()).rejects.toMatchObject(damagedAt('chunks', /its keys do not ascend/));
    await forge(at.path, (before) => ({ ...before, chunks: before.chunks.toReversed().slice(1) }));
    await expect(readAgain()).rejects.toMatchObject(damagedAt(at.path, /entries, the manifest says 32921/));
  });
});
