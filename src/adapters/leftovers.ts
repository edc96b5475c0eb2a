import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../errors/errors.ts';

/** How often a path is removed that another thread makes again meanwhile. */
const MOST_TRIES = 10;
const paths = new Set<string>();
let hears = false;

/** Removes a temporary or half-made file or folder if the process exits before `keepOnExit`. Only a process that is killed leaves it. */
export function removeOnExit(path: string): void {
  if (!hears) process.on('exit', removeAll);
  hears = true;
  paths.add(path);
}

export function keepOnExit(path: string): void {
  paths.delete(path);
}

/** A temporary folder that is removed at the end of the block with `await using`, or when the process exits before. */
export function temporaryFolder(): { readonly path: string } & AsyncDisposable {
  const path = mkdtempSync(join(tmpdir(), 'twhin-work-'));
  removeOnExit(path);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true });
      keepOnExit(path);
    },
  };
}

function removeAll(): void {
  for (const path of paths) {
    try {
      for (let tries = 0; tries < MOST_TRIES && existsSync(path); tries++) removeAside(path);
    } catch (error) {
      process.stderr.write(`${path} is left behind: ${reasonOf(error)}\n`);
    }
  }
}

/** Threads that still write into a folder, such as those of a store, find it no more under another name. */
function removeAside(path: string): void {
  const aside = `${path}.removed-${process.pid}`;
  renameSync(path, aside);
  rmSync(aside, { recursive: true, force: true, maxRetries: MOST_TRIES });
}
