import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startCluster } from '../../broker/cluster.ts';
import { startBroker } from '../../broker/start.ts';

let stop: (() => Promise<void>) | undefined;
let dir: string | undefined;

/** Sessions of groups may be short here, so that a killed reader's is over soon. */
export const SUITE_SETTINGS = { 'group.min.session.timeout.ms': '1000' };

/** The brokers of all tests that leave them running: one, or three in the long form. */
export async function setup(project: TestProject): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), 'twhin-faults-'));
  const started =
    process.env['FAULTS'] === 'long'
      ? await startCluster({ dir, settings: () => SUITE_SETTINGS })
      : await startBroker({
          dir,
          settings: SUITE_SETTINGS,
          onProgress: (line) => process.stderr.write(`${line}\n`),
        });
  stop = started.stop;
  project.provide('brokers', started.brokers);
}

export async function teardown(): Promise<void> {
  await stop?.();
  if (dir !== undefined) await rm(dir, { recursive: true, force: true });
}
