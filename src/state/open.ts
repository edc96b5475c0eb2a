import { existsSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';
import { GraphStore } from '../graph/graph-store.ts';
import { Layout } from '../graph/layout.ts';
import type { Store } from '../graph/store.ts';
import { holderFile, readHolder, writeHolder } from './holder.ts';
import { livePlace, type StorePlace } from './places.ts';

/** What a store is opened with: whose it is, and the layout of a fresh one. */
export type StoreModel = Pick<GraphConfig, 'name' | 'folder' | 'model'>;

type OpenReader = (folder: string, options: { readonly readOnly: true }) => Promise<Store>;

/** Opening beside a running writer can meet its files in mid-change; then it looks again. */
const READ_ATTEMPTS = 8;

interface OpenOptions {
  readonly place?: StorePlace;
  readonly openStore?: typeof openRocksdb | undefined;
  /** The writer looks whether the image is of the store's head, and removes it when it has written another. */
  readonly keepsImage?: boolean;
}

/** Opens the graph's store for its one writer, and leaves its name there. @throws FatalError naming the holder. */
export async function openForWriting(graph: StoreModel, options: OpenOptions = {}): Promise<GraphStore> {
  const { place = livePlace(graph), openStore = openRocksdb, keepsImage = false } = options;
  const store = await openStore(databaseFolder(place)).catch((error: unknown) => {
    throw namingHolder(error, place);
  });
  let path = holderFile(place);
  try {
    await writeHolder(place);
    path = imagePath(place);
    if (!keepsImage) await rm(path, { force: true });
  } catch (error) {
    await store.close();
    const message = `${path} can't be written: ${reasonOf(error)}; free space or mend the disk`;
    throw new FatalError('store-open', message, { cause: error });
  }
  return new GraphStore(store, layoutOf(graph));
}

/**
 * Opens it beside whoever writes, as of the last commit; undefined when there is no store yet. What it holds stays as
 * it was then, whatever is written and compacted meanwhile: its files are held open.
 */
export async function openForReading(
  graph: StoreModel,
  place = livePlace(graph),
  openStore: OpenReader = openRocksdb,
): Promise<GraphStore | undefined> {
  const folder = databaseFolder(place);
  if (!existsSync(join(folder, 'CURRENT'))) return undefined;
  for (let attempt = 1; ; attempt++) {
    let store: Store | undefined;
    try {
      store = await openSteadily(folder, openStore);
      // The layout is the store's own, whatever is configured now: what is there can always be looked at.
      const head = await new GraphStore(store, layoutOf(graph)).head();
      return new GraphStore(store, head ? new Layout(head.model) : layoutOf(graph));
    } catch (error) {
      await store?.close();
      if (attempt === READ_ATTEMPTS) throw error;
      await pause(25 * attempt);
    }
  }
}

/**
 * RocksDB reads its list of files first and its logs after. A memtable flushed in between is in neither: its log is
 * gone, its file not on the list, and what is newer is read nevertheless. That is a store that never was, and RocksDB
 * does not notice. The list is only ever appended to or replaced, so an opening during which it stayed as it was is
 * whole.
 */
async function openSteadily(folder: string, openStore: OpenReader): Promise<Store> {
  const before = listedFiles(folder);
  const store = await openStore(folder, { readOnly: true });
  if (listedFiles(folder) === before) return store;
  await store.close();
  throw new RetryableError(
    'store-moving',
    `the store in ${folder} was changed each time it was opened for reading; try again`,
  );
}

/** Names what RocksDB's list of files stands at. */
function listedFiles(folder: string): string {
  const list = readFileSync(join(folder, 'CURRENT'), 'utf8').trim();
  return `${list} ${statSync(join(folder, list), { throwIfNoEntry: false })?.size ?? 'missing'}`;
}

function layoutOf({ model }: StoreModel): Layout {
  return new Layout(model);
}

export function databaseFolder({ folder }: StorePlace): string {
  return join(folder, 'db');
}

/** Where the last `twhin run` on the store left what the next is to start from. */
export function imagePath({ folder }: StorePlace): string {
  return join(folder, 'image');
}

function namingHolder(error: unknown, place: StorePlace): unknown {
  if (!(error instanceof FatalError) || error.code !== 'store-in-use') return error;
  const by = readHolder(place);
  const holder = by ? `process ${by.pid} on ${by.host}, since ${by.since}` : 'it left no name';
  return new FatalError(
    'store-in-use',
    `the store of ${place.graph} in ${place.folder} is in use by another process (${holder}); ` +
      'stop that one first, or give this one a folder of its own in TWHIN_STATE',
    { cause: error },
  );
}
