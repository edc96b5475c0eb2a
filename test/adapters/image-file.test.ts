import { mkdir, open, readdir, readFile, readlink, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { imageFile } from '../../src/adapters/image-file.ts';
import type { ImageBlock } from '../../src/pipeline/loading/image.ts';
import { freshFolder } from '../fresh-folder.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await freshFolder();
  path = join(folder, 'image');
});

const HEAD = Buffer.from('{"step":7}');

function block(first: number, count: number): ImageBlock {
  const numbers = Array.from({ length: count }, (_, i) => first + i);
  return {
    floats: Float32Array.from({ length: 4 * count }, (_, i) => first + i / 3),
    edges: {
      lhs: Int32Array.from(numbers),
      relation: new Int32Array(count),
      rhs: Int32Array.from(numbers, (row) => row + 1),
    },
    entities: {
      rows: Int32Array.from(numbers),
      states: Float64Array.from(numbers.flatMap((row) => [row, row + 0.5, row + 1.5])),
      names: Uint8Array.from(numbers.flatMap((row) => [0, 0, row % 256])),
    },
  };
}

const BLOCKS = [block(0, 5), block(5, 1), block(6, 3000)];

async function* of(blocks: readonly ImageBlock[]): AsyncIterable<ImageBlock> {
  yield* blocks;
}

async function read(head = HEAD): Promise<ImageBlock[] | undefined> {
  const blocks = await imageFile(path).read(head);
  return blocks && Array.fromAsync(blocks);
}

describe('an image file', () => {
  test('is read back as written, and leaves no other file', async () => {
    await imageFile(path).write(HEAD, of(BLOCKS));
    expect(await read()).toEqual(BLOCKS);
    expect(await readdir(folder)).toEqual(['image']);
    await imageFile(path).write(HEAD, of([]));
    expect(await read()).toEqual([]);
    await imageFile(path).remove();
    expect(await readdir(folder)).toEqual([]);
    await imageFile(path).remove();
  });

  test('does not count when it is missing, truncated, of another head, or another file', async () => {
    expect(await read()).toBeUndefined();
    await imageFile(path).write(HEAD, of(BLOCKS));
    expect(await read(Buffer.from('{"step":8}'))).toBeUndefined();
    expect(await read(Buffer.from('{"step":7}more'))).toBeUndefined();
    await truncate(path, (await stat(path)).size - 1);
    expect(await read()).toBeUndefined();
    await truncate(path, 20);
    expect(await read()).toBeUndefined();
    await writeFile(path, 'a text of some length that is no image at all');
    expect(await read()).toBeUndefined();
    await rm(path);
    await mkdir(path);
    expect(await read()).toBeUndefined();
  });

  test.each([
    ['length', 0],
    ['checksum', 5],
    ['content', 100],
  ])('with a flipped bit in the %s of a block is refused and removed', async (_, at) => {
    await imageFile(path).write(HEAD, of(BLOCKS));
    const bytes = await readFile(path);
    const start = 'twhin image 1\n'.length + 8 + HEAD.length;
    bytes[start + at]! ^= 0x40;
    await writeFile(path, bytes);
    await expect(read()).rejects.toMatchObject({
      name: 'FatalError',
      code: 'image-damaged',
      message: expect.stringMatching(/image, which the last stop left.*start again/),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  test('with an impossible length is not read into memory', async () => {
    await imageFile(path).write(HEAD, of(BLOCKS));
    const file = await open(path, 'r+');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(2 ** 32 - 1);
    await file.write(length, 0, 4, 'twhin image 1\n'.length + 8 + HEAD.length);
    await file.close();
    await expect(read()).rejects.toThrow('a block of 4294967295 bytes');
  });

  test('that fails half-way leaves the previous image', async () => {
    await imageFile(path).write(HEAD, of(BLOCKS));
    async function* failing(): AsyncIterable<ImageBlock> {
      yield block(0, 5);
      throw new Error('the trainer died');
    }
    await expect(imageFile(path).write(HEAD, failing())).rejects.toThrow('the trainer died');
    expect(await readdir(folder)).toEqual(['image']);
    expect(await read()).toEqual(BLOCKS);
  });

  test('is closed when the reader leaves early', async () => {
    await imageFile(path).write(HEAD, of(BLOCKS));
    for await (const each of (await imageFile(path).read(HEAD)) ?? []) {
      expect(each).toEqual(BLOCKS[0]);
      break;
    }
    const numbers = await readdir('/proc/self/fd').catch(() => []);
    const links = await Promise.all(numbers.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    expect(links).not.toContain(path);
  });
});
