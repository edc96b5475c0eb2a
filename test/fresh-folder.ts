import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that is removed at the end of the test that asks for it, or for which a hook asks. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
