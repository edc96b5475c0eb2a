import { readdir, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { FatalError, hasCode, reasonOf, UsageError } from '../errors/errors.ts';
import { DATA, MANIFEST, PARTIAL, readManifest } from './manifest.ts';

/** The lock on a graph's folder during a backup. */
export const LOCK = 'backup.lock';

/**
 * Checks that `dir` can take backups of these graphs: it is outside of the state folder, and the folders with the names of the
 * graphs hold nothing but backups. Whatever else is in `dir` stays as it is, such as `lost+found` in the root of a volume.
 * @throws UsageError naming the file or folder in the way.
 */
export async function checkTarget(dir: string, state: string, graphs: readonly string[]): Promise<void> {
  const [target, stores] = [await real(dir), await real(state)];
  if (!relative(stores, target).startsWith('..')) {
    throw new UsageError(
      `${dir} is inside the state folder ${state}; a backup belongs on another disk, or at least elsewhere`,
    );
  }
  await namesIn(dir, true);
  for (const graph of graphs) {
    const folder = join(dir, graph);
    const names = await namesIn(folder, true);
    await readManifest(folder, graph).catch((error: unknown) => {
      throw foreign(join(folder, MANIFEST), reasonOf(error));
    });
    const other = names.find(
      (name) => name !== MANIFEST && !DATA.test(name) && !name.endsWith(PARTIAL) && !name.startsWith(LOCK),
    );
    if (other !== undefined) throw foreign(join(folder, other), 'no backup has such a file');
  }
}

/** The graphs with a backup in `dir`; what can't be read is passed over, unless a graph has its name. @throws FatalError `backup-read`. */
export async function graphsIn(dir: string, isGraph: (name: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await namesIn(dir)).sort()) {
    const names = await namesIn(join(dir, name)).catch((error: unknown): string[] => {
      if (isGraph(name)) throw error;
      return [];
    });
    if (names.includes(MANIFEST)) found.push(name);
  }
  return found;
}

function foreign(path: string, reason: string): UsageError {
  return new UsageError(
    `${path} is in the way: ${reason}. Nothing was changed; choose another folder, or an empty one`,
  );
}

/** The names in a folder; none where there is no folder. strict: refuse a file in its place. */
async function namesIn(folder: string, strict = false): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (strict && hasCode(error, 'ENOTDIR')) throw foreign(folder, 'it is a file');
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    const message = `${folder} can't be read: ${reasonOf(error)}; check its permissions and the disk`;
    throw new FatalError('backup-read', message, { cause: error });
  }
}

/** The absolute path, with links followed in the part that exists. */
async function real(path: string): Promise<string> {
  const absolute = resolve(path);
  const parent = dirname(absolute);
  try {
    return await realpath(absolute);
  } catch {
    // The path does not exist yet, but its parent may.
    return parent === absolute ? absolute : join(await real(parent), relative(parent, absolute));
  }
}
