import { type EventEmitter, on } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import RocksDB from 'rocksdb-native';
import { FatalError, MAKE_AGAIN, reasonOf } from '../../errors/errors.ts';
import type { Checkpoints } from '../../graph/checkpoint.ts';
import { type Batch, type Entry, eachOf, type Store, type StoreMemory } from '../../graph/store.ts';
import { checkpointFiles } from '../checkpoint-file.ts';

const SCAN_CAPACITY = 512;
/** Each four memtables are merged with up to 256 MB of files: smaller ones write the same entries more often. A full one takes a start 0.6 s. */
const WRITE_BUFFER_BYTES = 64 * 1024 * 1024;

/**
 * The store on RocksDB, in a folder of its own. Writes survive `kill -9` but are not fsynced: a power loss takes the
 * store back to an earlier commit together with its offsets, and the events since then are read again. RocksDB checks
 * the checksum of every block that it reads.
 * durable: all writes survive a power loss once the store is closed; for a store that is made in one go.
 * @throws FatalError naming the folder: held by another process, unwritable, damaged.
 */
export async function openRocksdb(
  folder: string,
  { readOnly = false, durable = false }: { readonly readOnly?: boolean; readonly durable?: boolean } = {},
): Promise<Store> {
  try {
    if (!readOnly) mkdirSync(folder, { recursive: true });
    const db = new RocksDB(folder, {
      readOnly,
      createIfMissing: !readOnly,
      writeBufferSize: WRITE_BUFFER_BYTES,
      maxBackgroundJobs: 2,
    });
    await db.ready();
    return new RocksdbStore(db, folder, durable);
  } catch (error) {
    throw openFailure(folder, error);
  }
}

class RocksdbStore implements Store {
  readonly #db: RocksDB;
  readonly #folder: string;
  readonly #durable: boolean;
  #closing: Promise<void> | undefined;

  constructor(db: RocksDB, folder: string, durable: boolean) {
    this.#db = db;
    this.#folder = folder;
    this.#durable = durable;
  }

  async getMany(keys: readonly (Uint8Array | string)[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const batch = this.#db.read({ autoDestroy: true, capacity: keys.length });
    const bytesOf = (key: Uint8Array | string) =>
      typeof key === 'string' ? Buffer.from(key, 'latin1') : key;
    const values = Promise.all(keys.map((key) => batch.get(bytesOf(key))));
    // When the batch fails, each value rejects too; an unhandled rejection would end the process without naming the folder.
    values.catch(() => undefined);
    try {
      await batch.flush();
      return (await values).map((value) => value ?? undefined);
    } catch (error) {
      throw readFailure(this.#folder, error);
    }
  }

  scan(prefix: Uint8Array): AsyncIterable<Entry> {
    return eachOf(this.runs(prefix));
  }

  async *runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]> {
    const end = successor(prefix);
    const range = { ...(prefix.length > 0 && { gte: prefix }), ...(end && { lt: end }) };
    const stream = this.#db.iterator(range, { capacity: SCAN_CAPACITY });
    yield* runsOf(stream, (error) => readFailure(this.#folder, error));
  }

  async write(batch: Batch): Promise<void> {
    if (batch.size === 0) return;
    const operations = this.#db.write({ autoDestroy: true, capacity: batch.size });
    // RocksDB reads the memory of `batch` until the flush ends.
    await batch.each(operations);
    try {
      await operations.flush();
    } catch (error) {
      throw writeFailure(this.#folder, error);
    }
  }

  checkpointsOf(width: number): Checkpoints {
    return checkpointFiles(this.#folder, width);
  }

  async sync(): Promise<void> {
    try {
      await this.#db.flush();
    } catch (error) {
      throw writeFailure(this.#folder, error);
    }
  }

  /** undefined once the store is closing: RocksDB no longer has the properties. */
  async memory(): Promise<StoreMemory | undefined> {
    if (this.#closing !== undefined) return undefined;
    const names = ['block-cache-usage', 'cur-size-all-mem-tables', 'estimate-table-readers-mem'];
    const values = await Promise.all(names.map((name) => this.#db.getProperty(`rocksdb.${name}`)));
    const [cache = 0, memtables = 0, readers = 0] = values.map((value) => Number(value ?? 0));
    return { cache, memtables, readers };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      if (this.#durable) await this.sync();
    } finally {
      await this.#db.close({ force: true });
    }
  }
}

function readFailure(folder: string, error: unknown, done = 'read'): FatalError {
  return new FatalError(
    'store-read',
    `the store in ${folder} can't be ${done}: ${innermost(error)}. If its files are damaged, ${MAKE_AGAIN}`,
    { cause: error },
  );
}

function writeFailure(folder: string, error: unknown): FatalError {
  // RocksDB also reads tables, to compact them, and may be the first to read a damaged block.
  if (/checksum mismatch|corrupt(ed|ion)|truncated block|bad (block|entry|table)/i.test(innermost(error)))
    return readFailure(folder, error, 'written because of a damaged file (see twhin check)');
  return new FatalError(
    'store-write',
    `the store in ${folder} can't be written: ${innermost(error)}. Nothing of the commit was kept; ` +
      'free space or repair the disk and start again: the events since the last commit are read again.',
    { cause: error },
  );
}

/** RocksDB's own message, which the binding wraps in "Batch was not applied". */
function innermost(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const within = error instanceof AggregateError ? error.errors.find((one) => one != null) : cause;
  return within == null ? reasonOf(error) : innermost(within);
}

/** The first key after all keys that start with `prefix`; undefined if there is no such key. */
function successor(prefix: Uint8Array): Uint8Array | undefined {
  const end = Buffer.from(prefix);
  let last = end.length - 1;
  while (end[last] === 0xff) last--;
  if (last < 0) return undefined;
  end[last] = (end[last] ?? 0) + 1;
  return end.subarray(0, last + 1);
}

function openFailure(folder: string, error: unknown): FatalError {
  const reason = reasonOf(error).replace(/\.$/, '');
  const because = { cause: error };
  if (/lock hold by current process|While lock file/.test(reason))
    return new FatalError('store-in-use', `the store in ${folder} is held by another process`, because);
  // A file missing from an existing store is damage: a new store must not hide the damage.
  if (/does not exist|No such file/.test(reason) && !existsSync(join(folder, 'CURRENT')))
    return new FatalError('store-missing', `there is no store in ${folder}; twhin run makes it`, because);
  const isFull = /no space left on device|disk quota exceeded/i.test(reason);
  const message = `the store in ${folder} can't be opened: ${reason}`;
  if (isFull || /Permission denied|Read-only file system|EACCES|EROFS/.test(reason)) {
    const remedy = isFull ? 'Free space and start again' : 'This user may not write there';
    const code = isFull ? 'store-write' : 'store-denied';
    return new FatalError(code, `${message}. ${remedy}; the files themselves may be fine`, because);
  }
  return new FatalError('store-open', `${message}. If its files are damaged, ${MAKE_AGAIN}`, because);
}

/**
 * The entries of a stream, each time as many as have arrived: RocksDB's own thread reads the next ones while the caller
 * handles these. The stream's own iterator would wait for every single entry.
 * Destroys the stream when the caller leaves the loop early.
 * @throws what `failure` makes of the stream's error; an error of the caller's loop passes unchanged.
 */
export async function* runsOf(
  stream: EventEmitter & { read(): Entry | null; destroy(): void },
  failure: (error: unknown) => Error,
): AsyncIterable<readonly Entry[]> {
  const closed = new Promise<void>((resolve) => void stream.once('close', resolve));
  const arrivals = on(stream, 'readable', { close: ['close'] });
  try {
    for (;;) {
      const arrival = await arrivals.next().catch((error: unknown) => {
        throw failure(error);
      });
      const run: Entry[] = [];
      for (let entry = stream.read(); entry !== null; entry = stream.read()) run.push(entry);
      if (run.length > 0) yield run;
      if (arrival.done) return;
    }
  } finally {
    stream.destroy();
    await closed;
  }
}
