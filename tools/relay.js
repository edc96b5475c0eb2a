// Plain JavaScript that any Node from 18 on can run.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { whenParentDies } from '../bin/parent.js';

const SIGNALS = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Runs a program in this one's place: its input and output are ours, signals are passed on. Gives its exit code;
 * 128 + the signal's number when a signal ended it, as a shell does.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
export function relay(file, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env });
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        // A terminal's Ctrl-C reaches the child by itself. Passed on as well it would look like the impatient
        // second one, which ends without a clean stop.
        if (signal === 'SIGINT' && process.stdin.isTTY) return;
        child.kill(signal);
      });
    }
    whenParentDies(() => child.kill('SIGTERM'));
    child.on('error', reject);
    child.on('exit', (code, signal) =>
      resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]),
    );
  });
}
