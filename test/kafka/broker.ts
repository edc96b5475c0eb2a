import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findBroker } from '../../broker/find.ts';
import type { Front } from '../../broker/properties.ts';
import { startBroker } from '../../broker/start.ts';
import { startSuiteBrokers } from '../faults/brokers.ts';
import { brokersOrSkip } from './without-broker.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of the shared brokers, for tests that do not stop them. */
    brokers: string;
    /** Whether tests can start brokers of their own, and proxies can stand before the shared ones. */
    jars: boolean;
    /** Folder of the brokers' folders; empty where the brokers are somebody else's. */
    data: string;
    /** The doors of the brokers that a proxy can stand before; in order. Empty where the brokers are somebody else's. */
    fronts: Front[];
  }
}

interface Shared {
  readonly brokers: string;
  readonly fronts?: Front[];
  readonly dir?: string;
  stop(): Promise<void>;
}

let shared: Shared | undefined;

/** Real brokers for all test files of the project: one, or three for the long form of the faults. */
export async function setup(project: TestProject): Promise<void> {
  const jars = (await findBroker({ jarsOnly: true })).origin !== undefined;
  const given = (process.env['KAFKA_BROKERS'] ?? '') !== '';
  const size = project.config.env['FAULTS'] === 'long' ? 3 : 1;
  shared = await brokersOrSkip(project, () => (jars && !given ? startSuiteBrokers(size) : startOther()));
  project.provide('brokers', shared?.brokers ?? '');
  project.provide('data', shared?.dir ?? '');
  project.provide('fronts', shared?.fronts ?? []);
  project.provide('jars', jars);
}

/** The broker of KAFKA_BROKERS, or one of Docker. */
async function startOther(): Promise<Shared> {
  const dir = await mkdtemp(join(tmpdir(), 'twhin-kafka-'));
  const broker = await startBroker({ dir, onProgress: (line) => process.stderr.write(`${line}\n`) });
  const stop = async () => {
    await broker.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { brokers: broker.brokers, stop };
}

export async function teardown(): Promise<void> {
  await shared?.stop();
}
