import { expect, test } from 'vitest';
import { BLOCK_ROWS, type Checkpoints } from '../../src/graph/checkpoint.ts';
import { CheckpointWriter } from '../../src/graph/checkpoint-writer.ts';
import { MemoryCheckpoints } from './memory-checkpoints.ts';

const HEAD = { commit: 3, step: 5, random: [1], at: 0 };
const WIDTH = 3;

/** Adds rows that have their number in each place. */
async function addRows(writer: CheckpointWriter, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await writer.add(new Float32Array(WIDTH).fill(writer.rows));
}

test.each([0, 1, BLOCK_ROWS, 2 * BLOCK_ROWS + 1])(
  'writes %i rows in order, in full blocks but for the last',
  async (rows) => {
    const checkpoints = new MemoryCheckpoints();
    const writer = new CheckpointWriter(checkpoints, HEAD, WIDTH);
    await addRows(writer, rows);
    await writer.end();
    const sizes = checkpoints.written.get(3)!.blocks.map(({ types, trained, floats }) => {
      expect([trained.length, floats.length]).toEqual([types.length, WIDTH * types.length]);
      return types.length;
    });
    const full = Math.floor(rows / BLOCK_ROWS);
    expect(sizes).toEqual([
      ...new Array(full).fill(BLOCK_ROWS),
      ...(rows % BLOCK_ROWS ? [rows % BLOCK_ROWS] : []),
    ]);
    const checkpoint = await checkpoints.open(3);
    expect([checkpoint.head, checkpoint.rows, writer.rows]).toEqual([HEAD, rows, rows]);
    for (const row of [0, BLOCK_ROWS - 1, BLOCK_ROWS, rows - 1].filter((row) => row >= 0 && row < rows))
      expect(await checkpoint.read([row])).toEqual([new Float32Array(WIDTH).fill(row)]);
  },
);

test('gives each row its type and whether it is trained; without numbers it is zeros of no entity', async () => {
  const checkpoints = new MemoryCheckpoints();
  const writer = new CheckpointWriter(checkpoints, HEAD, WIDTH);
  await writer.add();
  await writer.add([1, 2, 3], 1, true);
  await writer.add([4, 5, 6], 0);
  await writer.end();
  expect(checkpoints.written.get(3)?.blocks).toEqual([
    {
      types: Uint8Array.of(255, 1, 0),
      trained: Uint8Array.of(0, 1, 0),
      floats: Float32Array.of(0, 0, 0, 1, 2, 3, 4, 5, 6),
    },
  ]);
});

/** Checkpoints that `write` writes; nothing of them can be opened. */
const writing = (write: Checkpoints['write']): Checkpoints => ({
  write,
  open: () => Promise.reject(new Error('not here')),
  dropBefore: () => Promise.resolve(),
  dropAfter: () => Promise.resolve(),
});

test('waits while a block is full and the one before is not written', async () => {
  const taken: number[] = [];
  const { promise: written, resolve: write } = Promise.withResolvers<void>();
  const slow = writing(async (_, blocks) => {
    for await (const { types } of blocks) {
      taken.push(types.length);
      await written;
    }
  });
  const writer = new CheckpointWriter(slow, HEAD, WIDTH);
  await addRows(writer, 2 * BLOCK_ROWS - 1);
  let added = false;
  const adding = writer.add().then(() => {
    added = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([taken, added]).toEqual([[BLOCK_ROWS], false]);
  write();
  await adding;
  await writer.end();
  expect(taken).toEqual([BLOCK_ROWS, BLOCK_ROWS]);
});

test.each([0, 1, 3])('throws why the writing failed after %i blocks', async (after) => {
  const full = new Error('the disk is full');
  const failing = writing(async (_, blocks) => {
    let taken = 0;
    if (taken === after) throw full;
    for await (const _ of blocks) if (++taken === after) throw full;
  });
  const writer = new CheckpointWriter(failing, HEAD, WIDTH);
  const filling = async () => {
    await addRows(writer, 3 * BLOCK_ROWS);
    await writer.end();
  };
  await expect(filling()).rejects.toBe(full);
  await writer[Symbol.asyncDispose]();
});

test('leaves no checkpoint where it is disposed of before the end', async () => {
  const checkpoints = new MemoryCheckpoints();
  {
    await using writer = new CheckpointWriter(checkpoints, HEAD, WIDTH);
    await addRows(writer, BLOCK_ROWS + 1);
  }
  expect(checkpoints.written.size).toBe(0);
  await using writer = new CheckpointWriter(checkpoints, HEAD, WIDTH);
  await writer.end();
  expect(checkpoints.written.size).toBe(1);
});
