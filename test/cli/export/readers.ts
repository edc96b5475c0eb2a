import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const READERS = join(ROOT, '.twhin', 'readers');
export const PYTHON = join(READERS, 'bin', 'python');
const REQUIREMENTS = 'requirements.txt';

function areInstalled(): boolean {
  try {
    const installed = readFileSync(join(READERS, REQUIREMENTS), 'utf8');
    return installed === readFileSync(join(import.meta.dirname, REQUIREMENTS), 'utf8');
  } catch {
    return false;
  }
}

/** Tests that read with Python are skipped where its packages are not installed; with CI=true they fail. */
export const READERS_SKIPPED = process.env['CI'] !== 'true' && !areInstalled();
if (READERS_SKIPPED) {
  console.warn(
    'skipped: Python packages that tests read with are missing; test/cli/export/install.sh installs them',
  );
}

/** What read_back.py prints, parsed. */
export function readBack(...args: readonly string[]): unknown {
  const script = join(import.meta.dirname, 'read_back.py');
  const { error, status, stdout, stderr } = spawnSync(PYTHON, [script, ...args], { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${PYTHON}: ${error.message}; run test/cli/export/install.sh`);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
