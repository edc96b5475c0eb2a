import { rmSync, writeFileSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FatalError, hasCode, RetryableError, reasonOf } from '../errors/errors.ts';
import { keepOnExit, removeOnExit } from './leftovers.ts';

const WAIT_MS = 10_000;
/** Age at which a lock file without a process number counts as left by a process that died while writing it. */
const BLANK_MS = 1000;
/** By lock file: ends when the last of this process that wants it has had it. */
const tails = new Map<string, Promise<unknown>>();

/** Runs `work` under the lock file at `path`, which other processes respect. The lock of a dead process is taken over. */
export function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(path);
  const done = before === undefined ? locked(path, work) : before.then(() => locked(path, work));
  const tail = done
    .catch(() => undefined)
    .then(() => {
      if (tails.get(path) === tail) tails.delete(path);
    });
  tails.set(path, tail);
  return done;
}

/** One call at a time for each path in this process: a file with its number is then never its own. */
async function locked<T>(path: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  let blankSince: number | undefined;
  while (!take(path)) {
    const holder = await readFile(path, 'utf8').catch(() => 'gone');
    blankSince = holder === '' ? (blankSince ?? Date.now()) : undefined;
    const blank = blankSince !== undefined && Date.now() - blankSince > BLANK_MS;
    if (blank || (/^\d+$/.test(holder) && isGone(Number(holder)))) await takeOver(path, holder);
    if (Date.now() > deadline) {
      throw new RetryableError(
        'locked',
        `${path} has been held by process ${holder} for ${WAIT_MS} ms; wait for that process, or stop it`,
      );
    }
    await sleep(2);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
    keepOnExit(path);
  }
}

/** Whether the holder is dead. In a container every process may be number 1: a lock with the number of this process is an old one. */
function isGone(holder: number): boolean {
  return holder === process.pid || !lives(holder);
}

/** In one step with `removeOnExit`, as is the release: at an exit the file is then this process's own, and none is left. */
function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    removeOnExit(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw new FatalError(
      'file',
      `${path} can't be written: ${reasonOf(error)}; check the folder, its permissions and its free space`,
      { cause: error },
    );
  }
}

/** Only one process can rename the file. A process that moved a newer lock by mistake puts the lock back. */
async function takeOver(path: string, holder: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) === holder) await rm(aside, { force: true });
  else await rename(aside, path);
}

/** Whether this machine has a process with that number. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}
