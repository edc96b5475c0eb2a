import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkpointFiles } from '../../src/adapters/checkpoint-file.ts';
import { ShapeError } from '../../src/errors/errors.ts';
import type { Checkpoint, CheckpointBlock, CheckpointHead, Checkpoints } from '../../src/graph/checkpoint.ts';
import { freshFolder } from '../fresh-folder.ts';
import { asyncOf } from '../graph/graph-fixture.ts';
import { MemoryCheckpoints } from '../graph/memory-checkpoints.ts';

/** Numbers of a row. */
const WIDTH = 4;
/** More than are checked together, and no multiple of it. */
const ROWS = 70;

let folder: string;
beforeEach(async () => {
  folder = await freshFolder();
});

const headOf = (commit: number): CheckpointHead => ({
  commit,
  step: 10 * commit,
  random: [commit, 2 ** 32 - 1],
  at: 1_700_000_000_000 + commit,
});
/** The numbers of a row; `salt` tells checkpoints apart. */
const rowOf = (row: number, salt = 0) =>
  [row + salt, -row / 3, row * row, Number.POSITIVE_INFINITY].map(Math.fround);

/** edges: how many, each between rows of any block; undefined: not known. */
function block(first: number, rows: number, edges: number | undefined, salt = 0): CheckpointBlock {
  const all = Array.from({ length: rows }, (_, i) => first + i);
  return {
    types: Uint8Array.from(all, (row) => (row < 4 ? 255 : row % 3)),
    trained: Uint8Array.from(all, (row) => row % 2),
    floats: Float32Array.from(all.flatMap((row) => rowOf(row, salt))),
    ...(edges !== undefined && {
      edges: {
        lhs: Int32Array.from({ length: edges }, (_, i) => first + (i % rows)),
        rhs: Int32Array.from({ length: edges }, (_, i) => 7 * i),
        relation: Int32Array.from({ length: edges }, (_, i) => 255 - (i % 256)),
      },
    }),
  };
}

/** Three blocks: with edges, with none, and a shorter one whose edges are not known. */
const blocks = (salt = 0) => [
  block(0, ROWS, 301, salt),
  block(ROWS, ROWS, 0, salt),
  block(2 * ROWS, 9, undefined, salt),
];
const ALL = 2 * ROWS + 9;

const write = (to: Checkpoints, commit: number, salt?: number) =>
  to.write(headOf(commit), asyncOf(...blocks(salt)));
const plain = (rows: readonly (Float32Array | undefined)[]) => rows.map((row) => row && [...row]);
const rowsOf = async (checkpoint: Checkpoint, ...rows: number[]) => plain(await checkpoint.read(rows));
const LOST = { name: 'FatalError', code: 'store-damaged' };

describe.each([
  ['files', () => checkpointFiles(folder, WIDTH)],
  ['memory', () => new MemoryCheckpoints()],
])('checkpoints in %s', (_, make) => {
  let checkpoints: Checkpoints;
  beforeEach(() => {
    checkpoints = make();
  });

  test('are read back in blocks as they were written', async () => {
    await write(checkpoints, 3);
    await using checkpoint = await checkpoints.open(3);
    expect(checkpoint.head).toEqual(headOf(3));
    expect(checkpoint.rows).toBe(ALL);
    const read = await Array.fromAsync(checkpoint.blocks(), async (each) => {
      // The next block is read meanwhile.
      await checkpoint.read([0, ALL - 1]);
      return structuredClone(each);
    });
    // Types are bytes, whatever view of them there is.
    expect(read.map((each) => ({ ...each, types: [...each.types], trained: [...each.trained] }))).toEqual(
      blocks().map((each) => ({ ...each, types: [...each.types], trained: [...each.trained] })),
    );
    // Twice, and left early.
    for await (const { types } of checkpoint.blocks()) {
      expect(types).toHaveLength(ROWS);
      break;
    }
    expect(await Array.fromAsync(checkpoint.blocks())).toHaveLength(3);
  });

  test('give single rows in the order asked for, over all blocks, and none beyond the last', async () => {
    await write(checkpoints, 3);
    await using checkpoint = await checkpoints.open(3);
    const asked = [ALL - 1, 0, 31, 32, ROWS - 1, ROWS, 2 * ROWS - 1, 2 * ROWS, 0, 40, 41];
    expect(await rowsOf(checkpoint, ...asked)).toEqual(asked.map((row) => rowOf(row)));
    expect(await rowsOf(checkpoint, ALL, 5, 10 * ALL)).toEqual([undefined, rowOf(5), undefined]);
    expect(await rowsOf(checkpoint)).toEqual([]);
    const [mine, twin] = await checkpoint.read([7, 7]);
    mine!.fill(0);
    expect([...twin!]).toEqual(rowOf(7));
    expect(await rowsOf(checkpoint, 7)).toEqual([rowOf(7)]);
  });

  test('may have no row', async () => {
    await checkpoints.write(headOf(1), asyncOf());
    await using checkpoint = await checkpoints.open(1);
    expect([checkpoint.rows, await Array.fromAsync(checkpoint.blocks())]).toEqual([0, []]);
    expect(await rowsOf(checkpoint, 0)).toEqual([undefined]);
  });

  test('are written beside the one before, which stays readable until it is closed', async () => {
    await write(checkpoints, 3);
    await using before = await checkpoints.open(3);
    await write(checkpoints, 4, 1000);
    await using after = await checkpoints.open(4);
    await checkpoints.dropBefore(4);
    await expect(checkpoints.open(3)).rejects.toMatchObject(LOST);
    expect(await rowsOf(before, 5, ALL - 1)).toEqual([rowOf(5), rowOf(ALL - 1)]);
    // A block is good until the next is asked for.
    expect(await Array.fromAsync(before.blocks(), ({ floats }) => floats[0])).toEqual([0, ROWS, 2 * ROWS]);
    expect(await rowsOf(after, 5)).toEqual([rowOf(5, 1000)]);
    // Once more under the same number.
    await write(checkpoints, 4, 2000);
    await using again = await checkpoints.open(4);
    expect(await rowsOf(again, 5)).toEqual([rowOf(5, 2000)]);
  });

  test('that fail half-way leave the one before, and none where there was none', async () => {
    async function* failing(): AsyncIterable<CheckpointBlock> {
      yield* blocks(1000);
      throw new RangeError('the trainer died');
    }
    await write(checkpoints, 3);
    await expect(checkpoints.write(headOf(3), failing())).rejects.toThrow('the trainer died');
    await expect(checkpoints.write(headOf(4), failing())).rejects.toThrow('the trainer died');
    await expect(checkpoints.open(4)).rejects.toMatchObject(LOST);
    await using checkpoint = await checkpoints.open(3);
    expect(await rowsOf(checkpoint, 5)).toEqual([rowOf(5)]);
  });

  test('that are not there are not opened', async () => {
    await expect(checkpoints.open(9)).rejects.toMatchObject(LOST);
    await checkpoints.dropBefore(9);
    for (const commit of [3, 4, 5]) await write(checkpoints, commit);
    await checkpoints.dropAfter(4);
    await expect(checkpoints.open(5)).rejects.toMatchObject(LOST);
    for (const commit of [3, 4]) await (await checkpoints.open(commit))[Symbol.asyncDispose]();
  });
});

describe('a checkpoint file', () => {
  let path: string;
  let whole: Buffer;
  beforeEach(async () => {
    path = join(folder, 'checkpoint-3');
    await write(checkpointFiles(folder, WIDTH), 3);
    whole = await readFile(path);
  });

  const damaged = (reason: RegExp | string = '') => ({
    ...LOST,
    message: expect.stringMatching(
      new RegExp(`checkpoint-3 can't be read: .*${RegExp(reason).source}.*twhin restore`, 's'),
    ),
  });
  /** Reads everything that a file with these bytes gives: rows, then blocks. */
  async function readAll(bytes: Buffer): Promise<{ blocks: CheckpointBlock[]; rows: unknown[] }> {
    await writeFile(path, bytes);
    await using checkpoint = await checkpointFiles(folder, WIDTH).open(3);
    const rows = Array.from({ length: ALL }, (_, row) => row);
    const read = {
      rows: await rowsOf(checkpoint, ...rows),
      blocks: await Array.fromAsync(checkpoint.blocks()),
    };
    return read;
  }
  const flipped = (at: number) => {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 0x10;
    return bytes;
  };
  /** Bytes of the rows of a block, where the second block begins, and where the footer does. */
  const FLOATS = ROWS * WIDTH * 4;
  const FIRST = FLOATS + 9 * 301 + 3 + 2 * ROWS;
  const FOOTER = FIRST + FLOATS + 2 * ROWS + 9 * (4 * WIDTH + 2) + 2;

  test('lies alone beside the store, and what a kill or an older one left is removed', async () => {
    const files = checkpointFiles(folder, WIDTH);
    await writeFile(join(folder, 'checkpoint-4.partial'), 'half');
    await writeFile(join(folder, 'CURRENT'), '');
    await write(files, 12);
    await files.dropBefore(12);
    expect((await readdir(folder)).sort()).toEqual(['CURRENT', 'checkpoint-12']);
    // A partial file of the same commit is written over.
    await writeFile(join(folder, 'checkpoint-13.partial'), Buffer.alloc(100_000));
    await write(files, 13);
    await using checkpoint = await files.open(13);
    expect(await rowsOf(checkpoint, ALL - 1)).toEqual([rowOf(ALL - 1)]);
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  test('cut at any place is refused', async () => {
    const ends = [0, 1, FLOATS, FIRST, FIRST + 5, FOOTER, FOOTER + 1, whole.length - 25, whole.length - 24];
    for (const end of [...ends, whole.length - 17, whole.length - 16, whole.length - 1])
      await expect(readAll(whole.subarray(0, end)), `cut at ${end}`).rejects.toMatchObject(damaged());
    await expect(readAll(Buffer.concat([whole, Buffer.of(0)]))).rejects.toMatchObject(
      damaged('it has no end'),
    );
    // A part lost in the middle, as where a disk gives zeros.
    const hole = Buffer.from(whole).fill(0, FIRST, FIRST + 64);
    await expect(readAll(hole)).rejects.toMatchObject(damaged('checksum of the block at byte'));
  });

  test('without the file, or with a folder in its place, is refused', async () => {
    await rm(path);
    await expect(checkpointFiles(folder, WIDTH).open(3)).rejects.toMatchObject(damaged('ENOENT'));
    await mkdir(path);
    await expect(checkpointFiles(folder, WIDTH).open(3)).rejects.toMatchObject(damaged('EISDIR'));
  });

  test('of another commit or with rows of another width is refused', async () => {
    await writeFile(join(folder, 'checkpoint-5'), whole);
    await expect(checkpointFiles(folder, WIDTH).open(5)).rejects.toMatchObject({
      ...LOST,
      message: expect.stringContaining(
        "checkpoint-5 can't be read: it is of commit 3 with rows of 4 numbers",
      ),
    });
    await expect(checkpointFiles(folder, 6).open(3)).rejects.toMatchObject(damaged('rows of 4 numbers'));
  });

  test('with a flipped byte in its footer or its end is refused', async () => {
    for (let at = FOOTER; at < whole.length; at++)
      await expect(readAll(flipped(at)), `byte ${at}`).rejects.toMatchObject(damaged());
  });

  test('with a flipped byte in a block never gives a wrong row', async () => {
    await writeFile(path, whole);
    const files = checkpointFiles(folder, WIDTH);
    const rowAt = (row: number) => (row < ROWS ? row * WIDTH * 4 : FIRST + (row - ROWS) * WIDTH * 4);
    for (const row of [0, 31, 32, ROWS - 1, ROWS, 2 * ROWS - 1]) {
      await expect(readAll(flipped(rowAt(row) + 5)), `row ${row}`).rejects.toMatchObject(damaged('checksum'));
      await using checkpoint = await files.open(3);
      // The second time as well: only what was whole is not checked again.
      for (const _ of [1, 2])
        await expect(rowsOf(checkpoint, row)).rejects.toMatchObject(damaged('checksum of the block'));
      await expect(Array.fromAsync(checkpoint.blocks())).rejects.toMatchObject(
        damaged('checksum of the block'),
      );
      // Rows far from there are read.
      expect(await rowsOf(checkpoint, 2 * ROWS + 1)).toEqual([rowOf(2 * ROWS + 1)]);
    }
    // In edges, types and flags, which no single row has.
    for (const at of [FLOATS, FLOATS + 1300, FLOATS + 8 * 301, FIRST - 2 * ROWS, FIRST - 1]) {
      await writeFile(path, flipped(at));
      await using checkpoint = await files.open(3);
      await expect(Array.fromAsync(checkpoint.blocks()), `byte ${at}`).rejects.toMatchObject(
        damaged('byte 0 differs'),
      );
      expect(await rowsOf(checkpoint, 0)).toEqual([rowOf(0)]);
    }
    // The expected places are right: the last byte of the second block, and the first of the third.
    await expect(readAll(flipped(FIRST + FLOATS + 2 * ROWS - 1))).rejects.toMatchObject(
      damaged(`byte ${FIRST} differs`),
    );
    await expect(readAll(flipped(FIRST + FLOATS + 2 * ROWS))).rejects.toMatchObject(
      damaged(`byte ${FIRST + FLOATS + 2 * ROWS} differs`),
    );
  });

  test('takes no block that its rows can not be found in', async () => {
    const files = checkpointFiles(folder, WIDTH);
    const { trained, ...rest } = block(0, 2, 0);
    for (const wrong of [
      [block(0, 2, 0), block(2, 3, 0)],
      [block(0, 2, 0), block(2, 1, 0), block(3, 1, 0)],
      [{ ...rest, trained, floats: rest.floats.subarray(1) }],
      [{ ...rest, trained: trained.subarray(1) }],
    ])
      await expect(files.write(headOf(9), asyncOf<CheckpointBlock>(...wrong))).rejects.toThrow(ShapeError);
    expect(await readdir(folder)).toEqual(['checkpoint-3']);
  });

  test('on a disk that is full fails with its path, and the one before is whole', async () => {
    const files = checkpointFiles(folder, WIDTH);
    await symlink('/dev/full', join(folder, 'checkpoint-4.partial'));
    await expect(write(files, 4)).rejects.toMatchObject({
      name: 'FatalError',
      code: 'store-write',
      message: expect.stringMatching(/checkpoint-4 can't be written: ENOSPC.*free space or repair the disk/),
    });
    expect(await readdir(folder)).toEqual(['checkpoint-3']);
    await using checkpoint = await files.open(3);
    expect(await rowsOf(checkpoint, 0)).toEqual([rowOf(0)]);
  });
});
