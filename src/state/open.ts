import { existsSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, RetryableError, reasonOf } from '../errors/errors.ts';
import { GraphStore } from '../graph/graph-store.ts';
import type { Head } from '../graph/head.ts';
import { Layout } from '../graph/layout.ts';
import type { Store } from '../graph/store.ts';
import { livePlace, type StorePlace } from './places.ts';

/** The graph whose store is opened, with the layout of a fresh store. */
export type StoreModel = Pick<GraphConfig, 'name' | 'folder' | 'model' | 'shard'>;

type OpenReader = (folder: string, options: { readonly readOnly: true }) => Promise<Store>;

/** Attempts to open a store beside a running writer, whose files can change meanwhile. */
const READ_ATTEMPTS = 8;

/** Opens the graph's store for its one writer, and names this process as its holder. @throws FatalError naming the holder. */
export async function openForWriting(
  graph: StoreModel,
  options: { readonly place?: StorePlace; readonly openStore?: typeof openRocksdb | undefined } = {},
): Promise<GraphStore> {
  const { place = livePlace(graph), openStore = openRocksdb } = options;
  const store = await openStore(databaseFolder(place)).catch((error: unknown) => {
    throw namingHolder(error, place);
  });
  const path = holderFile(place);
  const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    await writeFile(path, `${JSON.stringify(holder)}\n`);
  } catch (error) {
    await store.close();
    const message = `${path} can't be written: ${reasonOf(error)}; free space or repair the disk`;
    throw new FatalError('store-write', message, { cause: error });
  }
  return new GraphStore(store, new Layout(graph.model));
}

export function isStore(place: StorePlace): boolean {
  return existsSync(join(databaseFolder(place), 'CURRENT'));
}

/**
 * Opens the graph's store for reading, beside a writer, as of the last commit; undefined when there is no store yet. The
 * view does not change, whatever is written and compacted meanwhile, since its files are kept open.
 */
export async function openForReading(
  graph: StoreModel,
  place = livePlace(graph),
  openStore: OpenReader = openRocksdb,
): Promise<GraphStore | undefined> {
  if (!isStore(place)) return undefined;
  const folder = databaseFolder(place);
  for (let attempt = 1; ; attempt++) {
    let store: Store | undefined;
    try {
      store = await openSteadily(folder, openStore);
      // Read with the store's own layout, so that a store can be read whatever the configuration says now.
      const head = await new GraphStore(store, new Layout(graph.model)).head();
      const opened = new GraphStore(store, new Layout(head?.model ?? graph.model));
      // A writer removes the checkpoint once its head names another: the next attempt reads that head. A checkpoint that is damaged
      // concerns those alone who read vectors.
      await opened.checkpoint().catch((error: unknown) => {
        if (attempt < READ_ATTEMPTS) throw error;
      });
      return opened;
    } catch (error) {
      await store?.close();
      if (attempt === READ_ATTEMPTS) throw error;
      await pause(25 * attempt);
    }
  }
}

/** The head of a store as of its last commit; undefined: there is no store, or no commit in it yet. */
export async function readHead(graph: StoreModel, place = livePlace(graph)): Promise<Head | undefined> {
  await using store = await openForReading(graph, place);
  return await store?.head();
}

/**
 * Opens the store, and refuses when RocksDB's list of files changed meanwhile. RocksDB reads the list first and its logs
 * after. A memtable flushed in between is in neither, yet newer writes are read: a state that never existed, which RocksDB
 * does not notice. The list is only appended to or replaced, so an unchanged list means a consistent store.
 */
async function openSteadily(folder: string, openStore: OpenReader): Promise<Store> {
  const before = listedFiles(folder);
  const store = await openStore(folder, { readOnly: true });
  if (listedFiles(folder) === before) return store;
  await store.close();
  throw new RetryableError(
    'store-moving',
    `the files of the store in ${folder} changed each time it was opened for reading; try again`,
  );
}

/** The name and size of RocksDB's list of files. */
function listedFiles(folder: string): string {
  const list = readFileSync(join(folder, 'CURRENT'), 'utf8').trim();
  return `${list} ${statSync(join(folder, list), { throwIfNoEntry: false })?.size ?? 'missing'}`;
}

export function databaseFolder({ folder }: StorePlace): string {
  return join(folder, 'db');
}

function namingHolder(error: unknown, place: StorePlace): unknown {
  if (!(error instanceof FatalError) || error.code !== 'store-in-use') return error;
  return new FatalError(
    'store-in-use',
    `the store of ${place.graph} in ${place.folder} is in use by another process (${holderOf(place)}); ` +
      'stop that process first, or start this one as its standby: with --standby, and a folder of its own in TWHIN_STATE',
    { cause: error },
  );
}

const holderSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
});

/** The process that has the store open for writing, or had it last, in words. A store that was just opened names none yet. */
function holderOf(place: StorePlace): string {
  try {
    const { pid, host, since } = holderSchema.parse(JSON.parse(readFileSync(holderFile(place), 'utf8')));
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return 'unknown: it left no holder.json';
  }
}

function holderFile({ folder }: StorePlace): string {
  return join(folder, 'holder.json');
}
