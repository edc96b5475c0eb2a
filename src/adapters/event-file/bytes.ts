import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FatalError, reasonOf, UsageError } from '../../errors/errors.ts';

/** What a file or stdin holds, unpacked when it is gzip. */
export interface ByteStream {
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes read so far, as they lie in the file: to be set against its size. */
  bytesRead(): number;
}

/**
 * Bytes of the file as it lies there; undefined for stdin and whatever else has no size.
 * @throws UsageError when there is no such file.
 */
export async function sizeOf(path: string): Promise<number | undefined> {
  if (path === '-') return undefined;
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    throw failureOf(path, 0, error);
  }
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/**
 * Opens `path`, or `stdin` for `-`. gzip is told by its first bytes, whatever the name. Ends early, without an error,
 * once `signal` fires. Read `chunks` once.
 * `chunks` throws UsageError when there is no such file, FatalError when it can't be read to its end.
 */
export function openBytes(path: string, stdin: Readable, signal?: AbortSignal): ByteStream {
  let bytesRead = 0;

  async function* counted(stream: Readable): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      bytesRead += bytes.length;
      yield bytes;
    }
  }

  async function* chunks(): AsyncGenerator<Buffer> {
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

  return { chunks: chunks(), bytesRead: () => bytesRead };
}

/** The same bytes, or what they unpack to. */
async function* unpacked(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  // A pipe may hand over a single byte at first.
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
  // Whatever fails here reaches the reader through gunzip, which pipeline destroys with the error.
  pipeline(Readable.from(whole()), gunzip, () => {});
  for await (const chunk of gunzip) yield chunk;
}

function failureOf(path: string, bytesRead: number, error: unknown): Error {
  const name = path === '-' ? 'standard input' : path;
  const code = codeOf(error);
  if (code === 'ENOENT') return new UsageError('no-file', `no such file: ${name}`, { cause: error });
  if (code === 'EISDIR')
    return new UsageError('no-file', `${name} is a folder; name a file`, { cause: error });
  if (code === 'EACCES') {
    return new UsageError('no-file', `not allowed to read ${name}; check its permissions`, { cause: error });
  }
  const why = code.startsWith('Z_') ? 'its gzip is damaged or cut off' : 'reading failed';
  return new FatalError(
    'unreadable',
    `${name}: ${why} after ${bytesRead} bytes (${reasonOf(error)}); the events before that were read`,
    { cause: error },
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
