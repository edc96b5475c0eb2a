import { join } from 'node:path';
import { RetryableError } from '../src/errors/errors.ts';
import { runCommand } from './command.ts';
import { type BrokerOrigin, type FindOptions, findBroker } from './find.ts';
import { type Front, freePorts, type Settings } from './properties.ts';
import { waitUntilReady } from './ready.ts';
import { type JarBroker, startFromJars } from './server.ts';

export interface Broker extends JarBroker {
  readonly source: BrokerOrigin['source'];
}

export interface StartOptions extends FindOptions {
  /** Holds data and log of a broker started from jars. */
  readonly dir: string;
  readonly keep?: boolean;
  /** Over the properties of a broker started from jars. */
  readonly settings?: Settings;
  readonly front?: Front;
}

/** The broker in use, or one started now. @throws RetryableError with a reason for every way that is closed. */
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
      // Only beside jars that we fetched: someone's KAFKA_HOME is left as it is.
      const archive = origin.source === 'jars' ? { archive: join(libs, '..', 'classes.jsa') } : {};
      const broker = await startFromJars({ java, libs, dir, keep, settings, front, ...archive });
      return { source: origin.source, ...broker };
    }
    case 'docker':
      options.onProgress?.('starting Apache Kafka with docker compose');
      return { source: origin.source, ...(await startInDocker(origin.composeFile, options.keep ?? false)) };
    case undefined:
      throw new RetryableError('no-broker', `no Kafka broker can be had here: ${reasons.join('; ')}`);
  }
}

/** Someone else's: used, never stopped. */
function foreign(brokers: string): JarBroker {
  const refuse = async (): Promise<void> => {
    throw new RetryableError('foreign-broker', `${brokers} was not started here and is left alone`);
  };
  return { brokers, stop: async () => undefined, kill: refuse, restart: refuse };
}

async function startInDocker(composeFile: string, keep: boolean): Promise<JarBroker> {
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
    if (!(await waitUntilReady(brokers, 90_000, () => false))) {
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
