import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type Broker, startBroker } from '../../broker/start.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of the shared broker, for tests that do not stop it. */
    brokers: string;
  }
}

let broker: Broker | undefined;
let dir: string | undefined;

/** One real broker for all test files of the project; a test gets its address with `inject('brokers')`. */
export async function setup(project: TestProject): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), 'twhin-kafka-'));
  broker = await startBroker({ dir, onProgress: (line) => process.stderr.write(`${line}\n`) });
  project.provide('brokers', broker.brokers);
}

export async function teardown(): Promise<void> {
  await broker?.stop();
  if (dir !== undefined) {
    await rm(dir, { recursive: true, force: true });
  }
}
