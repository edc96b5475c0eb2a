import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScratchFile } from '../../../src/adapters/trainer/scratch-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twhin-scratch-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const PAGE = 512;
const pageOf = (seed: number): [Int32Array, Uint8Array] => [
  Int32Array.from({ length: PAGE }, (_, i) => seed * 1_000_003 + i),
  Uint8Array.from({ length: PAGE }, (_, i) => seed + i),
];

test('gives each page as last written, and leaves no file in the folder', async () => {
  const made = join(folder, 'not', 'there', 'yet');
  const file = new ScratchFile(made);
  for (const page of [7, 0, 3, 7]) file.write(page, ...pageOf(page));
  file.write(3, ...pageOf(33));
  for (const [page, seed] of [
    [0, 0],
    [3, 33],
    [7, 7],
  ] as const) {
    const read: [Int32Array, Uint8Array] = [new Int32Array(PAGE), new Uint8Array(PAGE)];
    file.read(page, ...read);
    expect(read).toEqual(pageOf(seed));
  }
  expect(await readdir(made)).toEqual([]);
});

test('a missing page and an impossible folder are errors that say what to do', async () => {
  const file = new ScratchFile(folder);
  const way = /free space there or raise the limit, and start again from the stored state$/;
  expect(() => file.read(0, ...pageOf(0))).toThrow(/0 of a page's 2560 bytes were moved/);
  expect(() => file.read(0, ...pageOf(0))).toThrow(way);
  const taken = join(folder, 'a-file');
  await writeFile(taken, '');
  expect(() => new ScratchFile(join(taken, 'below'))).toThrow(/over limits\.knownEdgesBytes.*ENOTDIR/);
});
