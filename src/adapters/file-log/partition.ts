import { type FileHandle, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { FatalError, hasCode, RetryableError, reasonOf } from '../../errors/errors.ts';
import type { Message, SourceRecord, TopicState } from '../../pipeline/ports.ts';
import { makeWhole } from '../atomic-file.ts';
import { withLock } from '../file-lock.ts';

/*
 * DIR/<topic>/topic.json    {"partitions": n, "configs": {…}}
 * DIR/<topic>/<n>.log       records, one behind the other; a record's offset is how many come before it
 *
 * A record is a frame of V8's serialization: its length u32 and CRC-32 u32, little-endian, before it. A record that is no whole
 * frame ends the log: a writer died in it, and the next one cuts it off.
 */
const PREFIX_BYTES = 8;
const READ_BYTES = 1 << 20;
const MAX_RECORD_BYTES = 1 << 28;

/** A stored message, with the time of its writing, epoch ms. */
export interface LogRecord extends Pick<Message, 'key' | 'value' | 'headers'> {
  readonly timestamp: number;
}

/** What is kept of a record. */
type Stored = Pick<SourceRecord, 'timestamp' | 'key' | 'value' | 'headers'>;

function encodeRecord({ timestamp, key, value, headers }: LogRecord): Buffer {
  const pairs = Object.entries(headers).map(([name, of]) => [name, Buffer.from(of)] as const);
  const stored: Stored = {
    timestamp,
    key: key === null ? null : Buffer.from(key),
    value: value && Buffer.from(value),
    ...(pairs.length > 0 && { headers: Object.fromEntries(pairs) }),
  };
  return frame(serialize(stored));
}

export function frame(body: Uint8Array): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix.writeUInt32LE(body.length, 0);
  prefix.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([prefix, body]);
}

/** The body of the frame at `at`; undefined where the frame is cut off or damaged. No body is empty: zeros are no frame. */
function framed(bytes: Buffer, at: number): Buffer | undefined {
  const start = at + PREFIX_BYTES;
  if (start > bytes.length) return undefined;
  const body = bytes.subarray(start, start + bytes.readUInt32LE(at));
  if (body.length === 0) return undefined;
  const isWhole = body.length === bytes.readUInt32LE(at) && crc32(body) === bytes.readUInt32LE(at + 4);
  return isWhole ? body : undefined;
}

/** One partition's file, read from its start on. Each instance keeps its own position. */
export class LogPartition {
  readonly topic: string;
  readonly partition: number;
  readonly #path: string;
  #offset = 0;
  #bytes = 0;

  constructor(dir: string, topic: string, partition: number) {
    this.#path = join(dir, topic, `${partition}.log`);
    this.topic = topic;
    this.partition = partition;
  }

  /** Offset of the record to be read next. */
  get offset(): number {
    return this.#offset;
  }

  /** The next records, at most `limit`; none when all is read. */
  async read(limit: number): Promise<SourceRecord[]> {
    const records: SourceRecord[] = [];
    await this.#scan(limit, (bytes) => {
      const stored = this.#decode(bytes);
      records.push({ topic: this.topic, partition: this.partition, offset: this.#offset, ...stored });
    });
    return records;
  }

  /** Passes over records up to `offset`, or to the end of the log if that comes first. */
  async skipTo(offset: number): Promise<void> {
    while (this.#offset < offset && (await this.#scan(offset - this.#offset, () => undefined)) > 0) {
      // Each scan advances by one block at most.
    }
  }

  /** Appends behind the last complete record. What a dead writer left unfinished is cut off first. */
  async append(records: readonly LogRecord[]): Promise<void> {
    const bytes = Buffer.concat(records.map(encodeRecord));
    await withLock(`${this.#path}.lock`, async () => {
      await this.skipTo(Number.POSITIVE_INFINITY);
      await using file = await open(this.#path, 'r+');
      await file.truncate(this.#bytes);
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, this.#bytes);
      if (bytesWritten < bytes.length) {
        throw new RetryableError(
          'not-appended',
          `${this.#path} took ${bytesWritten} of ${bytes.length} bytes; free space if the disk is full`,
        );
      }
    });
  }

  #decode(bytes: Buffer): Stored {
    try {
      return deserialize(bytes);
    } catch (error) {
      throw new FatalError(
        'file',
        `${this.#path}: record ${this.#offset} is in no format of this version (${reasonOf(error)}); begin with another folder, or read this one with the version that wrote it`,
        { cause: error },
      );
    }
  }

  async #scan(limit: number, visit: (bytes: Buffer) => void): Promise<number> {
    await using file = await open(this.#path, 'r');
    const block = await this.#block(file);
    let at = 0;
    let count = 0;
    for (let body = framed(block, 0); body !== undefined && count < limit; body = framed(block, at)) {
      visit(body);
      this.#offset++;
      count++;
      at += PREFIX_BYTES + body.length;
    }
    this.#bytes += at;
    return count;
  }

  /** The next block of the file, long enough for a whole record. */
  async #block(file: FileHandle): Promise<Buffer> {
    let block = await readAt(file, this.#bytes, READ_BYTES);
    const length = block.length < PREFIX_BYTES ? 0 : PREFIX_BYTES + block.readUInt32LE(0);
    if (length > block.length && length < MAX_RECORD_BYTES) block = await readAt(file, this.#bytes, length);
    return block;
  }
}

async function readAt(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  // Who follows a log reads its end many times a second: a block that has nothing to hold is not made.
  const { size } = await file.stat();
  const block = Buffer.alloc(Math.min(bytes, Math.max(0, size - position)));
  const { bytesRead } = await file.read(block, 0, block.length, position);
  return block.subarray(0, bytesRead);
}

/** The contents of topic.json; undefined where there is no such topic. @throws FatalError when it can't be read. */
export async function readTopic(dir: string, name: string): Promise<TopicState | undefined> {
  const path = join(dir, name, 'topic.json');
  try {
    const { partitions, configs }: Omit<TopicState, 'name'> = JSON.parse(await readFile(path, 'utf8'));
    return { name, partitions, configs };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw new FatalError(
      'file',
      `can't read ${path}: ${reasonOf(error)}; check the folder, its permissions and the disk`,
      { cause: error },
    );
  }
}

/** Makes or changes a topic. Its partitions exist before topic.json names them. */
export async function writeTopic(dir: string, topic: TopicState): Promise<void> {
  const folder = join(dir, topic.name);
  await mkdir(folder, { recursive: true });
  for (let partition = 0; partition < topic.partitions; partition++) {
    await (await open(join(folder, `${partition}.log`), 'a')).close();
  }
  const { partitions, configs } = topic;
  const path = join(folder, 'topic.json');
  const partial = `${path}.${process.pid}`;
  await makeWhole(path, partial, () => writeFile(partial, `${JSON.stringify({ partitions, configs })}\n`));
}
