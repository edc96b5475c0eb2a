import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of all files under a folder, and free on its disk; undefined where there is none, or it can't be read. */
export async function diskOf(folder: string): Promise<{ used: number; free: number } | undefined> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      entries.filter((entry) => entry.isFile()).map((entry) => sizeOf(join(entry.parentPath, entry.name))),
    );
    const { bavail, bsize } = await statfs(folder);
    return { used: sizes.reduce((sum, size) => sum + size, 0), free: bavail * bsize };
  } catch {
    // Not there yet, or not to be read: two metrics less say so, and all others must not be lost for it.
    return undefined;
  }
}

/** A store replaces its files as it goes: one that is gone by now has no size. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
