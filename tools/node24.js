// Plain JavaScript that any Node from 18 on can run: it is what finds the right Node.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The Node that the project runs on, at least. */
export const NEEDED_MAJOR = 24;

/**
 * Path of a Node of at least {@link NEEDED_MAJOR}: this process's own, else the one `npm ci` brought into `root`.
 * Undefined when there is neither, or the one brought along can't run here (musl, say).
 * @param {string} root folder that holds package.json
 * @returns {string | undefined}
 */
export function findNode(root) {
  if (majorOf(process.version) >= NEEDED_MAJOR) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const file = process.platform === 'win32' ? 'node.exe' : 'node';
  const name = `node-${platform}-${process.arch}`;
  return [
    join(root, 'node_modules', name, 'bin', file),
    join(root, 'tools', 'node24', 'node_modules', name, 'bin', file),
  ].find((path) => existsSync(path) && runs(path));
}

/**
 * What to tell a person whose machine has no Node that is new enough.
 * @returns {string}
 */
export function missingNode() {
  return [
    `twhin-stream needs Node ${NEEDED_MAJOR}; this is ${process.version}, and none came along for ${process.platform} ${process.arch}.`,
    `Install Node ${NEEDED_MAJOR} or newer (https://nodejs.org, or: nvm install ${NEEDED_MAJOR}) and run the same command again.`,
  ].join('\n');
}

/** @param {string} version such as v24.21.0 */
function majorOf(version) {
  return Number(version.slice(1).split('.')[0]);
}

/** @param {string} path */
function runs(path) {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 && majorOf(stdout.trim()) >= NEEDED_MAJOR;
}
