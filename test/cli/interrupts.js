/**
 * Loaded into a process of its own: presses Ctrl-C once a file whose path matches INTERRUPT_AT is below one of INTERRUPT_BELOW.
 * It looks between any two steps of the main thread, so that no command gets past the moment.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) {
  const wanted = new RegExp(process.env['INTERRUPT_AT'] ?? '^$');
  const folders = (process.env['INTERRUPT_BELOW'] ?? '').split(':');
  const look = () => {
    if (folders.some((folder) => pathsBelow(folder).some((path) => wanted.test(join(folder, path))))) {
      process.kill(process.pid, 'SIGINT');
    } else setImmediate(look).unref();
  };
  look();
}

/** @param {string} folder */
function pathsBelow(folder) {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch {
    // A folder that is removed meanwhile.
    return [];
  }
}
