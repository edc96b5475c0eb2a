import { type FileHandle, open, rm } from 'node:fs/promises';
import { deserialize, serialize } from 'node:v8';
import { FatalError, reasonOf } from '../errors/errors.ts';
import type { Image, ImageBlock } from '../pipeline/loading/image.ts';
import { makeWhole } from './atomic-file.ts';
import { frame, framed, PREFIX_BYTES } from './frame.ts';

/*
 * FORMAT | frame of the head | one frame for each block, in V8's serialization | END
 *
 * The number in FORMAT changes whenever a block has other fields or a field has another meaning. The file is written under
 * another name and renamed, but not synced: after a power loss its content is undefined.
 */
const FORMAT = Buffer.from('twhin image 2\n');
const END = Buffer.from('image ends');
/** A block has a few megabytes; a frame with a greater length is damaged and not read. */
const MAX_FRAME_BYTES = 2 ** 30;

export function imageFile(path: string): Image {
  return {
    read: async (head) => {
      const file = await open(path, 'r').catch(() => undefined);
      if (file === undefined) return undefined;
      try {
        if (await isOf(file, head)) return blocksOf(file, FORMAT.length + PREFIX_BYTES + head.length, path);
      } catch {
        // An unreadable image counts as no image: the store has everything.
      }
      await file.close();
      return undefined;
    },
    write: (head, blocks) => {
      const partial = `${path}.partial`;
      return makeWhole(path, partial, () => writeAll(partial, head, blocks));
    },
    // An image that can't be removed is harmless: no store has its head any more.
    remove: () => rm(path, { force: true }).catch(() => undefined),
  };
}

async function writeAll(path: string, head: Uint8Array, blocks: AsyncIterable<ImageBlock>): Promise<void> {
  await using file = await open(path, 'w');
  await file.writeFile(Buffer.concat([FORMAT, frame(head)]));
  for await (const block of blocks) await file.writeFile(frame(serialize(block)));
  await file.writeFile(END);
}

/** Whether the file is a complete image of this format and this head. */
async function isOf(file: FileHandle, head: Uint8Array): Promise<boolean> {
  const { size } = await file.stat();
  const start = Buffer.concat([FORMAT, frame(head)]);
  if (size < start.length + END.length) return false;
  return (
    start.equals(await readAt(file, 0, start.length)) &&
    END.equals(await readAt(file, size - END.length, END.length))
  );
}

/** The blocks; each is read while the caller handles the one before. Closes the file. */
async function* blocksOf(file: FileHandle, start: number, path: string): AsyncIterable<ImageBlock> {
  try {
    const end = (await file.stat()).size - END.length;
    let at = start;
    let reading = at < end ? readFrame(file, at) : undefined;
    while (reading !== undefined) {
      const bytes = await reading;
      at += PREFIX_BYTES + bytes.length;
      reading = at < end ? readFrame(file, at) : undefined;
      // The next round awaits the promise; without this line Node.js reports an unhandled rejection before.
      reading?.catch(() => undefined);
      const block: ImageBlock = deserialize(bytes);
      yield block;
    }
  } catch (error) {
    if (error instanceof FatalError) throw error;
    await rm(path, { force: true }).catch(() => undefined);
    throw new FatalError(
      'image-damaged',
      `the image ${path}, which the last stop left to start from, is damaged: ${reasonOf(error)}. It was removed; nothing ` +
        'is lost with it: start again, and the store is read instead',
      { cause: error },
    );
  } finally {
    await file.close();
  }
}

async function readFrame(file: FileHandle, at: number): Promise<Buffer> {
  const length = (await readAt(file, at, PREFIX_BYTES)).readUInt32LE(0);
  if (length > MAX_FRAME_BYTES) throw new Error(`a block of ${length} bytes at byte ${at}`);
  const body = framed(await readAt(file, at, PREFIX_BYTES + length), 0);
  if (body === undefined) throw new Error(`the checksum of the block at byte ${at} differs`);
  return body;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, at + read);
    if (bytesRead === 0) throw new Error(`it ends at byte ${at + read}`);
    read += bytesRead;
  }
  return bytes;
}
