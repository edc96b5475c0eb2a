import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RetryableError } from '../src/errors/errors.ts';
import { BrokerProcess, formatStorage, type Jvm, randomId } from './jvm.ts';
import { type Front, freePorts, type Settings, serverProperties } from './properties.ts';
import { waitUntilReady } from './ready.ts';

export interface JarBroker {
  /** host:port, the same after a restart. */
  readonly brokers: string;
  /** Ends it in good order. Idempotent. */
  stop(): Promise<void>;
  /** Ends it as a crash would: SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data, after `stop` or `kill`. */
  restart(): Promise<void>;
}

export interface JarOptions extends Jvm {
  /** Holds properties, data and log of this broker; made when missing. */
  readonly dir: string;
  /** Over its properties. */
  readonly settings?: Settings;
  readonly front?: Front | undefined;
}

const READY_MS = 60_000;

/** Starts a broker of its own from jars and waits until it answers. @throws RetryableError naming its log file. */
export async function startFromJars(options: JarOptions): Promise<JarBroker> {
  const dir = resolve(options.dir);
  const config = join(dir, 'server.properties');
  const ports = await freePorts();
  const brokers = `127.0.0.1:${ports.broker}`;
  await mkdir(dir, { recursive: true });
  await writeFile(config, serverProperties(ports, join(dir, 'data'), options));
  if (!existsSync(join(dir, 'data', 'meta.properties'))) {
    await formatStorage(options, config, randomId(), ['--standalone']);
  }
  const broker = new BrokerProcess(options, config, join(dir, 'broker.log'));
  const start = async (): Promise<void> => {
    broker.start();
    if (!(await waitUntilReady(brokers, READY_MS, () => broker.gone))) {
      await broker.end('SIGKILL');
      throw new RetryableError('broker-start', `the broker at ${brokers} did not start; ${broker.lastWords}`);
    }
  };
  await start();
  return { brokers, stop: () => broker.end('SIGTERM'), kill: () => broker.end('SIGKILL'), restart: start };
}
