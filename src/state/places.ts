import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { GraphConfig } from '../config/resolve.ts';
import { FatalError, reasonOf, UsageError } from '../errors/errors.ts';

/*
 * STATE/<graph>/              the first store, named main
 *   db/                       RocksDB
 *   image                     what the last run on it had in memory when it ended in good order
 *   holder.json               who writes it, and under which epoch
 *   live.json                 which store is the live one; absent: main
 *   promote.json              which store is to be it, until that is so
 *   history.json              the dashboard's curves
 *   tracks.json               how the entities moved that were looked up there
 *   stores/<name>/            any other store, laid out the same
 *     db/ image holder.json
 *     origin.json            how it came to be, and the settings it is trained with
 *     replay.json            what a replay was asked, where it is one
 *     progress.json          how far that is
 *
 * live.json is written aside and renamed over: at any moment exactly one store is the live one.
 */

/** The store every graph starts with. */
export const FIRST_STORE = 'main';

/** Names the live store, whichever that is. */
export const LIVE = 'live';

/** One store of a graph: the live one, a shadow, or one kept to go back to. */
export interface StorePlace {
  readonly graph: string;
  readonly name: string;
  readonly folder: string;
}

type Graph = Pick<GraphConfig, 'name' | 'folder'>;

const liveSchema = z.object({
  live: z.string(),
  /** The one that was live before; null at first. */
  previous: z.string().nullable(),
  /** ISO 8601. */
  since: z.string(),
  /** Settings it was trained with beside the configuration's own, `key=value` each. */
  set: z.array(z.string()).default([]),
});

/** Which of a graph's stores is live. */
export type Live = z.infer<typeof liveSchema>;

/** @throws UsageError when no store can have that name. */
export function placeOf(graph: Graph, name: string): StorePlace {
  if (!isStoreName(name)) {
    throw new UsageError(
      'store-name',
      `expected a store's name of lower-case letters, digits, - and _, and not ${LIVE}; seen ${JSON.stringify(name)}`,
    );
  }
  const folder = name === FIRST_STORE ? graph.folder : join(graph.folder, 'stores', name);
  return { graph: graph.name, name, folder };
}

function isStoreName(name: string): boolean {
  return name !== LIVE && /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name);
}

/** @throws FatalError when live.json can't be read: guessing would train the wrong store. */
export function readLive(graph: Graph): Live {
  const path = liveFile(graph);
  try {
    return liveSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return { live: FIRST_STORE, previous: null, since: new Date(0).toISOString(), set: [] };
    }
    const message =
      `${path} can't be read: ${reasonOf(error)}; it names the live store: put {"live":"${FIRST_STORE}","previous":null,"since":""} there, ` +
      `or for a store of stores/ {"live":"NAME","previous":null,"since":"","set":[…]} with the "set" of stores/NAME/origin.json`;
    throw new FatalError('live-store', message, { cause: error });
  }
}

export function livePlace(graph: Graph): StorePlace {
  return placeOf(graph, readLive(graph).live);
}

/** Every store besides the first, by name; a folder that no store can be called is someone's own. */
export function otherPlaces(graph: Graph): StorePlace[] {
  try {
    return readdirSync(join(graph.folder, 'stores'))
      .filter(isStoreName)
      .sort()
      .map((name) => placeOf(graph, name));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Makes the store the live one; the one before stays where it is. Survives a crash at any moment. */
export async function makeLive(graph: Graph, name: string, set: readonly string[]): Promise<Live> {
  const before = readLive(graph);
  const previous = before.live === name ? before.previous : before.live;
  const live: Live = { live: name, previous, since: new Date().toISOString(), set: [...set] };
  await writeAside(liveFile(graph), `${JSON.stringify(live)}\n`);
  return live;
}

/** Writes a small file whole or not at all. @throws FatalError when it can't be written. */
export async function writeAside(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await mkdir(join(path, '..'), { recursive: true });
    const file = await open(aside, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    throw new FatalError('store-write', `${path} can't be written: ${reasonOf(error)}`, { cause: error });
  }
}

function liveFile({ folder }: Graph): string {
  return join(folder, 'live.json');
}
