import { readSync } from 'node:fs';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { FatalError, MAKE_AGAIN, reasonOf, ShapeError, TwhinError } from '../errors/errors.ts';
import type {
  Checkpoint,
  CheckpointBlock,
  CheckpointFile,
  CheckpointHead,
  Checkpoints,
  NewCheckpoint,
} from '../graph/checkpoint.ts';
import { makeWhole, syncFolder } from './atomic-file.ts';

/*
 * A checkpoint is one file beside those of its store, `checkpoint-COMMIT`:
 *
 *     blocks, one after the other | footer: JSON | length of the footer u32 | its CRC-32 u32 | MAGIC
 *     block: sections, each of which begins at a multiple of 4 bytes:
 *       rows    1   floats f32[n, dim + 2]
 *       edges   1   lhs i32[edges] | rhs i32[edges] | relation u8[edges]; absent where they are not known
 *       flags   1   types u8[n] | trained u8[n]
 *
 * The footer says where each section of a block is, so that the file is written from front to back, in blocks of one size. It has the name,
 * version and length of each section, and its CRC-32s: one of every CHECKED_ROWS rows of `rows`, so that a row is read and checked alone
 * with the few beside it, and one of any other. What a later version adds is a further section, which this one passes over. Little-endian.
 */
const FORMAT = 4;
const SECTIONS = { rows: 1, edges: 1, flags: 1 };
const CHECKED_ROWS = 32;
const MAGIC = Buffer.from('twhin checkpoint');
const TAIL_BYTES = 8 + MAGIC.length;
const NAME = /^checkpoint-(\d+)(\.partial)?$/;

const count = z.number().int().nonnegative();
const footerSchema = z.object({
  format: z.literal(FORMAT),
  commit: count,
  step: count,
  random: z.array(count),
  at: z.number(),
  /** Numbers of a row. */
  width: count,
  /** at: of a block in the file, of a section in its block. */
  blocks: z.array(
    z.object({
      at: count,
      rows: count,
      sections: z.array(
        z.object({ name: z.string(), version: count, at: count, length: count, sums: z.array(count) }),
      ),
    }),
  ),
});

type Footer = z.infer<typeof footerSchema>;
type BlockPlace = Footer['blocks'][number];
type SectionPlace = BlockPlace['sections'][number];

/** The checkpoints of the store in a folder. width: numbers of a row. */
export function checkpointFiles(folder: string, width: number): Checkpoints {
  const pathOf = (commit: number) => join(folder, `checkpoint-${commit}`);
  return {
    open: (commit) => openCheckpoint({ path: pathOf(commit), commit, width }),
    write: async (head, blocks) => {
      const path = pathOf(head.commit);
      const partial = `${path}.partial`;
      try {
        await makeWhole(path, partial, () => writeCheckpoint(partial, head, width, blocks));
        await syncFolder(folder);
      } catch (error) {
        if (error instanceof TwhinError) throw error;
        throw new FatalError(
          'store-write',
          `the checkpoint ${path} can't be written: ${reasonOf(error)}; free space or repair the disk`,
          { cause: error },
        );
      }
    },
    dropBefore: (commit) => drop(folder, (other) => other < commit),
    dropAfter: (commit) => drop(folder, (other) => other > commit),
  };
}

async function drop(folder: string, isDropped: (commit: number) => boolean): Promise<void> {
  for (const name of await readdir(folder))
    if (isDropped(Number(NAME.exec(name)?.[1]))) await rm(join(folder, name), { force: true });
}

/** @throws FatalError `store-damaged` where the file is not a whole checkpoint of this commit, with rows of `width` numbers. */
export async function openCheckpoint(opened: CheckpointFile): Promise<Checkpoint> {
  const { path, commit, width } = opened;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const footer = await readFooter(file);
    if (footer.commit !== commit || footer.width !== width)
      throw new Error(`it is of commit ${footer.commit} with rows of ${footer.width} numbers`);
    return new OpenCheckpoint(file, opened, footer);
  } catch (error) {
    await file?.close();
    throw damaged(path, error);
  }
}

/** Writes a checkpoint and syncs it. @throws ShapeError for a block that has no place behind those before it. */
export async function writeCheckpoint(
  path: string,
  { commit, step, random, at: asOf = Date.now() }: NewCheckpoint,
  width: number,
  blocks: AsyncIterable<CheckpointBlock>,
): Promise<void> {
  await using file = await open(path, 'w');
  const places: BlockPlace[] = [];
  let at = 0;
  for await (const block of blocks) {
    const { floats, types, trained, edges } = block;
    const rows = types.length;
    const most = places[0]?.rows ?? rows;
    if (rows > most || (places.at(-1)?.rows ?? most) < most)
      throw new ShapeError(
        `a block of ${rows} rows after one of ${places.at(-1)?.rows}; expected ${most} in each`,
      );
    if (trained.length !== rows || floats.length !== rows * width)
      throw new ShapeError(
        `${rows} rows of ${width} numbers with ${floats.length} floats, ${trained.length} flags`,
      );
    const place: BlockPlace = { at, rows, sections: [] };
    const put = async (name: keyof typeof SECTIONS, bytes: Uint8Array) => {
      const sums = name === 'rows' ? sumsOf(bytes, width) : [crc32(bytes)];
      const { length } = bytes;
      place.sections.push({ name, version: SECTIONS[name], at: at - place.at, length, sums });
      await file.writeFile(bytes);
      await file.writeFile(Buffer.alloc(-length & 3));
      at += length + (-length & 3);
    };
    await put('rows', bytesOf(floats));
    if (edges) {
      const relation = Uint8Array.from(edges.relation);
      await put('edges', Buffer.concat([bytesOf(edges.lhs), bytesOf(edges.rhs), relation]));
    }
    await put('flags', Buffer.concat([types, trained]));
    places.push(place);
  }
  const head = { format: FORMAT, commit, step, at: asOf } as const;
  const footer: Footer = { ...head, random: [...random], width, blocks: places };
  const text = Buffer.from(JSON.stringify(footer));
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(text.length, 0);
  tail.writeUInt32LE(crc32(text), 4);
  await file.writeFile(Buffer.concat([text, tail, MAGIC]));
  await file.datasync();
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The CRC-32 of every CHECKED_ROWS rows. */
function sumsOf(floats: Uint8Array, width: number): number[] {
  const bytes = CHECKED_ROWS * width * 4;
  return Array.from({ length: Math.ceil(floats.length / bytes) }, (_, i) =>
    crc32(floats.subarray(i * bytes, (i + 1) * bytes)),
  );
}

async function readFooter(file: FileHandle): Promise<Footer> {
  const { size } = await file.stat();
  const tail = await readAt(file, Math.max(0, size - TAIL_BYTES), Math.min(size, TAIL_BYTES));
  if (!tail.subarray(8).equals(MAGIC)) throw new Error('it has no end');
  const length = tail.readUInt32LE(0);
  if (length > size - TAIL_BYTES) throw new Error(`its footer has ${length} bytes`);
  const text = await readAt(file, size - TAIL_BYTES - length, length);
  if (crc32(text) !== tail.readUInt32LE(4)) throw new Error('the checksum of its footer differs');
  return footerSchema.parse(JSON.parse(text.toString()));
}

class OpenCheckpoint implements Checkpoint {
  readonly head: CheckpointHead;
  readonly rows: number;
  readonly file: CheckpointFile;
  readonly #handle: FileHandle;
  readonly #footer: Footer;
  /** The first row of those that were checked together. */
  readonly #checked = new Set<number>();

  constructor(handle: FileHandle, file: CheckpointFile, footer: Footer) {
    const { commit, step, random, at } = footer;
    this.head = { commit, step, random, at };
    this.rows = footer.blocks.reduce((sum, { rows }) => sum + rows, 0);
    this.file = file;
    this.#handle = handle;
    this.#footer = footer;
  }

  /** Each is read while the caller handles the one before. */
  async *blocks(): AsyncIterable<CheckpointBlock> {
    const places = this.#footer.blocks;
    const most = places.reduce((bytes, place) => Math.max(bytes, blockBytes(place)), 0);
    // Memory outside of V8's heap has it collected garbage, all of it, after each few of these.
    const [memory, other] = [new ArrayBuffer(most), new ArrayBuffer(most)];
    let reading = places[0] && this.#block(places[0], memory);
    for (let i = 0; reading !== undefined; ) {
      const block: CheckpointBlock = await reading;
      const next = places[++i];
      reading = next && this.#block(next, i % 2 === 0 ? memory : other);
      // The next round awaits the promise; without this line Node.js reports an unhandled rejection before.
      reading?.catch(() => undefined);
      yield block;
    }
  }

  /** Rows beside one another are checked together, and once: after that each is read alone, which is too little to wait for a thread. */
  async read(rows: readonly number[]): Promise<(Float32Array | undefined)[]> {
    const { width, blocks } = this.#footer;
    const each = blocks[0]?.rows ?? 1;
    const unchecked = new Map<number, Promise<void>>();
    for (const row of rows) {
      const of = row % each;
      const first = row - (of % CHECKED_ROWS);
      if (row >= this.rows || this.#checked.has(first) || unchecked.has(first)) continue;
      const part = Math.floor(of / CHECKED_ROWS);
      unchecked.set(first, this.#check(blocks[Math.floor(row / each)]!, part));
    }
    await Promise.all(unchecked.values());
    for (const first of unchecked.keys()) this.#checked.add(first);
    const floats = new Float32Array(rows.length * width);
    return rows.map((row, i) => {
      if (row >= this.rows) return undefined;
      const vector = floats.subarray(i * width, (i + 1) * width);
      const at = blocks[Math.floor(row / each)]!.at + (row % each) * width * 4;
      this.#readNow(vector, at);
      return vector;
    });
  }

  #readNow(into: Float32Array, at: number): void {
    try {
      const bytes = readSync(this.#handle.fd, into, 0, into.byteLength, at);
      if (bytes < into.byteLength) throw new Error(`it ends after byte ${at + bytes}`);
    } catch (error) {
      throw damaged(this.file.path, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  async #block(place: BlockPlace, buffer: ArrayBuffer): Promise<CheckpointBlock> {
    const { rows } = place;
    const { width } = this.#footer;
    const bytes = await this.#bytes(place.at, blockBytes(place), buffer);
    const partOf = (name: keyof typeof SECTIONS) => {
      const section = sectionOf(place, name);
      if (section === undefined) return undefined;
      const part = bytes.subarray(section.at, section.at + section.length);
      const sums = name === 'rows' ? sumsOf(part, width) : [crc32(part)];
      if (sums.some((sum, i) => sum !== section.sums[i])) throw this.#differs(place.at);
      return { at: section.at, part };
    };
    const [floats, flags, edges] = [partOf('rows'), partOf('flags'), partOf('edges')];
    if (floats === undefined || flags === undefined) throw this.#differs(place.at);
    const of = (edges?.part.length ?? 0) / 9;
    return {
      floats: new Float32Array(buffer, floats.at, rows * width),
      types: flags.part.subarray(0, rows),
      trained: flags.part.subarray(rows),
      ...(edges && {
        edges: {
          lhs: new Int32Array(buffer, edges.at, of),
          rhs: new Int32Array(buffer, edges.at + 4 * of, of),
          relation: Int32Array.from(edges.part.subarray(8 * of)),
        },
      }),
    };
  }

  /** Checks CHECKED_ROWS rows of a block, fewer at its end. */
  async #check(place: BlockPlace, part: number): Promise<void> {
    const rowBytes = this.#footer.width * 4;
    const first = part * CHECKED_ROWS;
    const length = Math.min(CHECKED_ROWS, place.rows - first) * rowBytes;
    const bytes = await this.#bytes(place.at + first * rowBytes, length);
    if (crc32(bytes) !== sectionOf(place, 'rows')?.sums[part]) throw this.#differs(place.at);
  }

  #differs(at: number): FatalError {
    return damaged(this.file.path, new Error(`the checksum of the block at byte ${at} differs`));
  }

  async #bytes(at: number, length: number, memory?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
    return await readAt(this.#handle, at, length, memory).catch((error: unknown) => {
      throw damaged(this.file.path, error);
    });
  }
}

/** `rows` is the first section of a block. */
function sectionOf({ sections }: BlockPlace, name: keyof typeof SECTIONS): SectionPlace | undefined {
  return sections.find((each) => each.name === name && each.version === SECTIONS[name]);
}

function blockBytes({ sections }: BlockPlace): number {
  return sections.reduce((most, { at, length }) => Math.max(most, at + length), 0);
}

/** From the start of `memory`, by default its own, so that numbers of four bytes can be viewed. */
async function readAt(
  file: FileHandle,
  at: number,
  length: number,
  memory = new ArrayBuffer(length),
): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.from(memory, 0, length);
  let read = 0;
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, at + read);
    if (bytesRead === 0) throw new Error(`it ends at byte ${at + read}`);
    read += bytesRead;
  }
  return bytes;
}

function damaged(path: string, cause: unknown): FatalError {
  const message = `the checkpoint ${path} can't be read: ${reasonOf(cause)}; ${MAKE_AGAIN}`;
  return new FatalError('store-damaged', message, { cause });
}
