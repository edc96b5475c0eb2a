import { rmSync } from 'node:fs';
import { reasonOf } from '../errors/errors.ts';

/** A folder that another thread still writes into has a new file now and then while it is removed. */
const MOST_TRIES = 10;
const paths = new Set<string>();
let hears = false;

/**
 * Removes a file or folder if the process exits before `keepOnExit` is called for it: a temporary folder, a half-made store, a
 * lock. Only a process that is killed leaves it.
 */
export function removeOnExit(path: string): void {
  if (!hears) process.on('exit', removeAll);
  hears = true;
  paths.add(path);
}

export function keepOnExit(path: string): void {
  paths.delete(path);
}

function removeAll(): void {
  for (const path of paths) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: MOST_TRIES });
    } catch (error) {
      process.stderr.write(`${path} is left behind: ${reasonOf(error)}\n`);
    }
  }
}
