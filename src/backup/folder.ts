import { readdir, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { FatalError, reasonOf, UsageError } from '../errors/errors.ts';
import { UNFINISHED } from './files.ts';
import { CHUNKS, MANIFEST, readManifest } from './manifest.ts';

/** Held while a graph is being backed up into its folder. */
export const LOCK = 'backup.lock';

/**
 * Checks that backups of these graphs may be put into `dir`: that it lies apart from the stores, and that nothing is
 * there but backups, each in the folder of its graph's name.
 * @throws UsageError naming what is in the way.
 */
export async function checkTarget(dir: string, state: string, graphs: readonly string[]): Promise<void> {
  const [target, stores] = [await real(dir), await real(state)];
  if (!relative(stores, target).startsWith('..')) {
    throw new UsageError(
      'backup-folder',
      `${dir} is inside the state folder ${state}; a backup belongs on another disk, or at least elsewhere`,
    );
  }
  for (const name of await namesIn(dir, true)) await checkGraphFolder(join(dir, name));
  for (const graph of graphs) {
    await readManifest(join(dir, graph), graph).catch((error: unknown) => {
      throw foreign(join(dir, graph, MANIFEST), reasonOf(error));
    });
  }
}

/** Names of the graphs that have a backup in `dir`. */
export async function graphsIn(dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await namesIn(dir)).sort()) {
    if ((await namesIn(join(dir, name))).includes(MANIFEST)) found.push(name);
  }
  return found;
}

async function checkGraphFolder(folder: string): Promise<void> {
  const ours = (name: string) =>
    name === MANIFEST || name === CHUNKS || name.startsWith(LOCK) || name === `${MANIFEST}${UNFINISHED}`;
  const other = (await namesIn(folder, true)).find((name) => !ours(name));
  if (other !== undefined) throw foreign(join(folder, other), 'no backup has such a file');
  const chunk = (name: string) => /^[0-9a-f]{64}(\.part)?$/.test(name);
  const stranger = (await namesIn(join(folder, CHUNKS))).find((name) => !chunk(name));
  if (stranger !== undefined) throw foreign(join(folder, CHUNKS, stranger), 'no backup has such a file');
}

function foreign(path: string, reason: string): UsageError {
  return new UsageError(
    'backup-folder',
    `${path} is in the way: ${reason}. Nothing was touched; choose another folder, or an empty one`,
  );
}

/** Names in a folder; none where it is not there. strict: a file in its place is refused. */
async function namesIn(folder: string, strict = false): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR' && strict) throw foreign(folder, 'it is a file');
    if (code === 'ENOTDIR') return [];
    throw new FatalError('backup-read', `${folder} can't be read: ${reasonOf(error)}`, { cause: error });
  }
}

/** The path with links followed as far as it exists. */
async function real(path: string): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch {
    // Not there yet: its place is where its parent is.
    return dirname(whole) === whole
      ? whole
      : join(await real(dirname(whole)), relative(dirname(whole), whole));
  }
}
