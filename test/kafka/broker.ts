import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findBroker } from '../../broker/find.ts';
import { type Broker, startBroker } from '../../broker/start.ts';
import { brokersOrSkip } from './without-broker.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of the shared broker, for tests that do not stop it. */
    brokers: string;
    /** Whether tests can start brokers of their own. */
    jars: boolean;
  }
}

let broker: Broker | undefined;
let dir: string | undefined;

/** One real broker for all test files of the project; a test gets its address with `inject('brokers')`. */
export async function setup(project: TestProject): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'twhin-kafka-'));
  dir = folder;
  broker = await brokersOrSkip(project, () =>
    startBroker({ dir: folder, onProgress: (line) => process.stderr.write(`${line}\n`) }),
  );
  project.provide('brokers', broker?.brokers ?? '');
  project.provide('jars', (await findBroker({ jarsOnly: true })).origin !== undefined);
}

export async function teardown(): Promise<void> {
  await broker?.stop();
  if (dir !== undefined) {
    await rm(dir, { recursive: true, force: true });
  }
}
