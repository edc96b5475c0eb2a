import { createReadStream } from 'node:fs';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BadEvent, FatalError, reasonOf, UsageError } from '../../errors/errors.ts';

/** One event of a file, not yet checked against its topic. */
export interface FileEvent {
  /** Number of the event's line, from 1. */
  readonly line: number;
  /** The record's value; null when the line is too long. */
  readonly raw: Buffer | null;
  readonly problem?: BadEvent;
}

/** Maximum bytes of a line: near the largest record that a broker takes by default. */
const MAX_LINE_BYTES = 1_000_000;

export interface EventFileOptions {
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The stream that `-` means; by default the stdin of the process. */
  readonly stdin?: Readable | undefined;
  /** A longer line is reported and skipped. */
  readonly maxLineBytes?: number | undefined;
}

/**
 * The events of a file, or of stdin for `-`, one on each line, one at a time; gzip is unpacked, and blank lines are skipped. A
 * line that is too long is an event with a `problem`, and the reading continues with the next line.
 * @throws UsageError when there is no such file, FatalError when the file can't be read to its end.
 */
export async function* readEvents(path: string, options: EventFileOptions = {}): AsyncGenerator<FileEvent> {
  const { signal, stdin = process.stdin, maxLineBytes = MAX_LINE_BYTES } = options;
  for await (const { line, bytes } of splitLines(readBytes(path, stdin, signal), maxLineBytes)) {
    if (bytes === null) {
      const message = `the line is longer than ${maxLineBytes} bytes and was skipped`;
      yield { line, raw: null, problem: new BadEvent('too-large', message) };
    } else if (bytes.some((byte) => byte !== 0x20 && byte !== 0x09)) yield { line, raw: bytes };
  }
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** The bytes of a file or stdin, unpacked where the first ones are gzip's, until `signal` fires. @throws as {@link readEvents}. */
async function* readBytes(path: string, stdin: Readable, signal?: AbortSignal): AsyncGenerator<Buffer> {
  let bytesRead = 0;
  async function* counted(stream: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      bytesRead += bytes.length;
      yield bytes;
    }
  }
  const stream = path === '-' ? stdin : createReadStream(path);
  if (signal !== undefined) addAbortSignal(signal, stream);
  try {
    yield* unpacked(counted(stream));
  } catch (error) {
    if (signal?.aborted !== true) throw failureOf(path, bytesRead, error);
  } finally {
    stream.destroy();
  }
}

/** The same bytes, unpacked if they are gzip. */
async function* unpacked(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  // The first chunk of a pipe may be a single byte.
  while (head.length < GZIP_MAGIC.length) {
    const next = await packed.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield head;
    yield* packed;
  }
  if (!head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) {
    yield* whole();
    return;
  }
  const gunzip = createGunzip();
  // The reader gets every error through gunzip, which `pipeline` destroys with the error.
  pipeline(Readable.from(whole()), gunzip, () => {});
  for await (const chunk of gunzip) yield chunk;
}

function failureOf(path: string, bytesRead: number, error: unknown): Error {
  const name = path === '-' ? 'standard input' : path;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return new UsageError(`no such file: ${name}; check the path`, { cause: error });
  if (code === 'EISDIR') return new UsageError(`${name} is a folder; name a file`, { cause: error });
  if (code === 'EACCES') {
    return new UsageError(`not allowed to read ${name}; check its permissions`, { cause: error });
  }
  const why = code.startsWith('Z_') ? 'its gzip is damaged or cut off' : 'reading failed';
  return new FatalError(
    'file',
    `${name}: ${why} after ${bytesRead} bytes (${reasonOf(error)}); the events before that were read. Repair the file and feed ` +
      'it again: events that were sent before count once',
    { cause: error },
  );
}

/** One line without its line end. */
interface Line {
  /** From 1. */
  readonly line: number;
  /** null when the line is too long. */
  readonly bytes: Buffer | null;
}

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Lines that end with LF or CRLF, without a byte order mark. One of more than `maxBytes` is given as null, and never held in memory. */
async function* splitLines(chunks: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line> {
  let line = 0;
  /** The beginning of a line whose end has not arrived. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  // A CR and the byte order mark are removed later.
  const slack = BYTE_ORDER_MARK.length + 1;

  const hold = (piece: Buffer): void => {
    heldBytes += piece.length;
    if (heldBytes <= maxBytes + slack) held.push(piece);
    else held = [];
  };
  const finish = (): Line => {
    line++;
    const whole = held.length === 1 ? held[0] : Buffer.concat(held);
    const bytes = heldBytes > maxBytes + slack ? null : stripped(whole ?? Buffer.alloc(0), line === 1);
    held = [];
    heldBytes = 0;
    return { line, bytes: bytes !== null && bytes.length > maxBytes ? null : bytes };
  };

  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      hold(chunk.subarray(start, end));
      yield finish();
      start = end + 1;
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (heldBytes > 0) yield finish();
}

function stripped(bytes: Buffer, first: boolean): Buffer {
  const start =
    first && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
  const end = bytes.at(-1) === CR ? bytes.length - 1 : bytes.length;
  return bytes.subarray(start, Math.max(start, end));
}
