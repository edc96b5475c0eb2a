import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openRocksdb } from '../adapters/rocksdb-store.ts';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, reasonOf } from '../errors.ts';
import { GraphStore } from '../graph/graph-store.ts';
import { Layout } from '../graph/layout.ts';
import type { Store } from '../graph/store.ts';

/** A reader beside a running writer can meet a file that was just compacted away; then it looks again. */
const READ_ATTEMPTS = 5;

/** Opens the graph's store for its one writer, and leaves its name there. @throws FatalError naming the holder. */
export async function openForWriting(graph: GraphConfig): Promise<GraphStore> {
  const store = await openRocksdb(databaseFolder(graph)).catch((error: unknown) => {
    throw namingHolder(error, graph);
  });
  const holder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  try {
    await writeFile(holderFile(graph), `${JSON.stringify(holder)}\n`);
  } catch (error) {
    await store.close();
    const message = `${holderFile(graph)} can't be written: ${reasonOf(error)}; free space or mend the disk`;
    throw new FatalError('store-open', message, { cause: error });
  }
  return new GraphStore(store, layoutOf(graph));
}

/** Opens it beside whoever writes, as of the last commit; undefined when there is no store yet. */
export async function openForReading(graph: GraphConfig): Promise<GraphStore | undefined> {
  const folder = databaseFolder(graph);
  if (!existsSync(join(folder, 'CURRENT'))) return undefined;
  for (let attempt = 1; ; attempt++) {
    let store: Store | undefined;
    try {
      store = await openRocksdb(folder, { readOnly: true });
      // The layout is the store's own, whatever is configured now: what is there can always be looked at.
      const head = await new GraphStore(store, layoutOf(graph)).head();
      return new GraphStore(store, head ? new Layout(head.model) : layoutOf(graph));
    } catch (error) {
      await store?.close();
      if (attempt === READ_ATTEMPTS) throw error;
      await pause(100 * attempt);
    }
  }
}

function layoutOf({ model }: GraphConfig): Layout {
  return new Layout(model);
}

function databaseFolder({ folder }: GraphConfig): string {
  return join(folder, 'db');
}

function holderFile({ folder }: GraphConfig): string {
  return join(folder, 'holder.json');
}

function namingHolder(error: unknown, graph: GraphConfig): unknown {
  if (!(error instanceof FatalError) || error.code !== 'store-in-use') return error;
  let holder = 'it left no name';
  try {
    const { pid, host, since } = JSON.parse(readFileSync(holderFile(graph), 'utf8'));
    holder = `process ${pid} on ${host}, since ${since}`;
  } catch {
    // Between opening and naming itself; the refusal stands without the name.
  }
  return new FatalError(
    'store-in-use',
    `the store of ${graph.name} in ${graph.folder} is in use by another process (${holder}); ` +
      'stop that one first, or give this one a folder of its own in TWHIN_STATE',
    { cause: error },
  );
}
