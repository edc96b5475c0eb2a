import { FatalError } from '../../errors/errors.ts';
import { type Entry, eachOf, type Store, type StoreMemory, type WriteBatch } from '../../graph/store.ts';
import { ThreadCalls, threadEntry } from '../threads.ts';
import { makeFolder } from './store.ts';
import {
  type Opening,
  type OpenOptions,
  packList,
  type StoreMethods,
  unpackList,
  unpackRun,
} from './wire.ts';

/** Runs of a scan that are asked for ahead of the caller. */
const RUNS_AHEAD = 4;

/**
 * Opens a store in a thread of its own, with the options and errors of `openRocksdb`. In the caller's thread the binding
 * would hold up the event loop: it makes two buffers for each entry that is read, and takes a write entry by entry.
 * Entries move between the threads by the hundreds. A written batch is empty afterwards.
 */
export async function openRocksdbThread(folder: string, options: OpenOptions = {}): Promise<Store> {
  if (options.readOnly !== true) makeFolder(folder);
  const store = new ThreadStore({ folder, options });
  await store.open();
  return store;
}

class ThreadStore implements Store {
  readonly #folder: string;
  readonly #calls: ThreadCalls<StoreMethods>;
  #scans = 0;
  #closing: Promise<void> | undefined;

  constructor(data: Opening) {
    this.#folder = data.folder;
    this.#calls = new ThreadCalls({
      entry: threadEntry(new URL('./worker.ts', import.meta.url)),
      data,
      name: data.options.readOnly ? 'store reader' : 'store',
      dead: (reason) => this.#gone(reason),
    });
  }

  /** @throws the error of opening; the thread is gone then. */
  async open(): Promise<void> {
    try {
      await this.#calls.ask('open', undefined);
    } catch (error) {
      await this.#calls.stop(this.#gone('it was not opened'));
      throw error;
    }
  }

  async getMany(keys: readonly (Uint8Array | string)[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const packed = packList(keys);
    return unpackList(await this.#calls.ask('getMany', packed, [packed.bytes.buffer, packed.lengths.buffer]));
  }

  scan(prefix: Uint8Array): AsyncIterable<Entry> {
    return eachOf(this.runs(prefix));
  }

  async *runs(prefix: Uint8Array): AsyncIterable<readonly Entry[]> {
    const id = this.#scans++;
    const ahead = [this.#calls.ask('runs', { id, prefix })];
    let isOver = false;
    try {
      for (;;) {
        const run = await ahead.shift();
        isOver = run === undefined;
        if (run === undefined) return;
        while (ahead.length < RUNS_AHEAD) {
          const next = this.#calls.ask('next', id);
          // Nobody waits for it once the caller leaves.
          next.catch(() => undefined);
          ahead.push(next);
        }
        yield unpackRun(run);
      }
    } finally {
      if (!isOver && !this.#calls.ended) this.#calls.ask('leave', id).catch(() => undefined);
    }
  }

  async write(batch: WriteBatch): Promise<void> {
    const packed = batch.packed();
    await this.#calls.ask('write', packed, [packed.bytes.buffer, packed.lengths.buffer]);
  }

  async memory(): Promise<StoreMemory | undefined> {
    if (this.#closing !== undefined || this.#calls.ended) return undefined;
    return this.#calls.ask('memory', undefined);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const gone = this.#gone('it was closed');
    this.#calls.drop(gone);
    try {
      // A dead thread has closed the store. A living thread's error of closing must reach the caller: writes may be lost.
      if (!this.#calls.ended) await this.#calls.ask('close', undefined);
    } finally {
      await this.#calls.stop(gone);
    }
  }

  #gone(reason: string): FatalError {
    return new FatalError('store-read', `the thread of the store in ${this.#folder} ended: ${reason}`);
  }
}
