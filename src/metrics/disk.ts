import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes of a folder and of the disk it is on. */
export interface Disk {
  /** Of all files under the folder. */
  readonly used: number;
  /** Of the disk: what an ordinary user may still write, and all there is. */
  readonly free: number;
  readonly size: number;
}

/** undefined where there is no such folder, or it can't be read. */
export async function diskOf(folder: string): Promise<Disk | undefined> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      entries.filter((entry) => entry.isFile()).map((entry) => sizeOf(join(entry.parentPath, entry.name))),
    );
    const { bavail, blocks, bsize } = await statfs(folder);
    return {
      used: sizes.reduce((sum, size) => sum + size, 0),
      free: bavail * bsize,
      size: blocks * bsize,
    };
  } catch {
    // Not there yet, or not to be read: three metrics less say so, and all others must not be lost for it.
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
