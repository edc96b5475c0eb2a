import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RetryableError } from '../src/errors/errors.ts';
import { type BrokerOrigin, type FindOptions, findBroker } from './find.ts';
import { BrokerProcess, formatStorage, type Jvm, randomId, runCommand, waitUntilReady } from './process.ts';
import { type Front, freePorts, type Settings, serverProperties } from './properties.ts';

const JARS_READY_MS = 60_000;
const DOCKER_READY_MS = 90_000;

interface RunningBroker {
  /** host:port, the same after a restart. */
  readonly brokers: string;
  /** Stops the broker cleanly. Idempotent. */
  stop(): Promise<void>;
  /** Kills the broker with SIGKILL, like a crash. */
  kill(): Promise<void>;
  /** Starts the broker again on the same ports and data, after `stop` or `kill`. */
  restart(): Promise<void>;
}

export interface Broker extends RunningBroker {
  readonly source: BrokerOrigin['source'];
}

export interface StartOptions extends FindOptions {
  /** Folder for properties, data and log of a broker started from jars; made when missing. */
  readonly dir: string;
  /** Whether the broker outlives this process. */
  readonly keep?: boolean;
  /** Properties of a broker started from jars, over the usual ones. */
  readonly settings?: Settings;
  readonly front?: Front | undefined;
}

/** The broker of KAFKA_BROKERS, or a new one. @throws RetryableError with the reason why each way to a broker failed. */
export async function startBroker(options: StartOptions): Promise<Broker> {
  const { origin, reasons } = await findBroker(options);
  switch (origin?.source) {
    case 'KAFKA_BROKERS':
      return { source: origin.source, ...foreign(origin.brokers) };
    case 'KAFKA_HOME':
    case 'jars': {
      options.onProgress?.('starting Apache Kafka');
      const { dir, keep = false, settings = {}, front } = options;
      const { java, libs } = origin;
      // Nothing is written into a KAFKA_HOME: only our own jars get the file of loaded classes.
      const archive = origin.source === 'jars' ? { archive: join(libs, '..', 'classes.jsa') } : {};
      const broker = await startFromJars({ java, libs, dir, keep, settings, front, ...archive });
      return { source: origin.source, ...broker };
    }
    case 'docker':
      options.onProgress?.('starting Apache Kafka with docker compose');
      return { source: origin.source, ...(await startInDocker(origin.composeFile, options.keep ?? false)) };
    case undefined:
      throw new RetryableError(
        'no-broker',
        `no Kafka broker can be found or started here: ${reasons.join('; ')}`,
      );
  }
}

/** A broker that was not started here is used and never stopped. */
function foreign(brokers: string): RunningBroker {
  const refuse = async (): Promise<void> => {
    throw new RetryableError('broker-start', `${brokers} was not started here and is left alone`);
  };
  return { brokers, stop: async () => undefined, kill: refuse, restart: refuse };
}

/** Starts a broker from jars and waits until the broker answers. @throws RetryableError naming the log file. */
async function startFromJars(
  options: Jvm & Pick<StartOptions, 'dir' | 'settings' | 'front'>,
): Promise<RunningBroker> {
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
    if (!(await waitUntilReady(brokers, JARS_READY_MS, () => broker.gone))) {
      await broker.end('SIGKILL');
      throw new RetryableError('broker-start', `the broker at ${brokers} did not start; ${broker.lastWords}`);
    }
  };
  await start();
  return { brokers, stop: () => broker.end('SIGTERM'), kill: () => broker.end('SIGKILL'), restart: start };
}

async function startInDocker(composeFile: string, keep: boolean): Promise<RunningBroker> {
  const { broker: port } = await freePorts();
  const brokers = `127.0.0.1:${port}`;
  const project = ['compose', '-f', composeFile, '-p', `twhin-${port}`];
  const compose = async (...args: string[]): Promise<void> => {
    const command = ['env', `TWHIN_KAFKA_PORT=${port}`, 'docker', ...project, ...args];
    const done = await runCommand(command[0]!, command.slice(1), 300_000);
    if (done.code !== 0) {
      throw new RetryableError(
        'broker-start',
        `docker ${project.join(' ')} ${args.join(' ')}: ${done.output}`,
      );
    }
  };
  const start = async (): Promise<void> => {
    await compose('up', '-d');
    if (!(await waitUntilReady(brokers, DOCKER_READY_MS, () => false))) {
      throw new RetryableError(
        'broker-start',
        `the broker at ${brokers} did not answer; see: docker ${project.join(' ')} logs`,
      );
    }
  };
  await start();
  return {
    brokers,
    stop: () => (keep ? Promise.resolve() : compose('down', '-v')),
    kill: () => compose('kill'),
    restart: start,
  };
}
