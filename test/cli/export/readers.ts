import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PYTHON = join(ROOT, '.twhin', 'readers', 'bin', 'python');

/** Tests that read files with numpy and pyarrow are skipped where these are not installed; with CI=true they fail. */
export const READERS_SKIPPED = !existsSync(PYTHON) && process.env['CI'] !== 'true';
if (READERS_SKIPPED) {
  console.warn('skipped: numpy and pyarrow are not here; test/cli/export/install.sh puts them there');
}

/** What read_back.py prints, parsed. */
export function readBack(...args: readonly string[]): unknown {
  const script = join(import.meta.dirname, 'read_back.py');
  const { error, status, stdout, stderr } = spawnSync(PYTHON, [script, ...args], { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${PYTHON}: ${error.message}; run test/cli/export/install.sh`);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
