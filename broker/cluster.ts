import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RetryableError } from '../src/errors/errors.ts';
import { findBroker } from './find.ts';
import { BrokerProcess, formatStorage, randomId, waitUntilReady } from './process.ts';
import { type Front, freePorts, type Ports, type Settings, serverProperties } from './properties.ts';

/** Several brokers from jars in one cluster; each is a controller too. */
export interface Cluster {
  /** host:port of each broker, separated by commas; the same after a restart. */
  readonly brokers: string;
  readonly nodes: readonly ClusterNode[];
  /** Stops all brokers cleanly. Idempotent. */
  stop(): Promise<void>;
}

/** One broker of a cluster. */
export interface ClusterNode {
  readonly address: string;
  /** Kills the broker with SIGKILL, like a crash. */
  kill(): Promise<void>;
  /** Starts the broker again on the same port and data; resolves once all running brokers know each other. */
  restart(): Promise<void>;
  /** SIGSTOP or SIGCONT. */
  signal(signal: NodeJS.Signals): void;
}

export interface ClusterOptions {
  /** Folder for properties, data and logs; made when missing. */
  readonly dir: string;
  /** Number of brokers; by default 3. */
  readonly size?: number;
  /** Properties of each broker, over the usual ones. */
  readonly settings?: Settings;
  /** Fronts of the brokers, in order. */
  readonly fronts?: readonly Front[];
}

const READY_MS = 90_000;

/**
 * Starts a cluster on free ports. With three brokers every topic has three replicas, a record is acknowledged once two have
 * it, and a replica without an acknowledged record can't lead. @throws RetryableError naming the log file, or why there
 * are no jars.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { size = 3, settings = {}, fronts = [] } = options;
  const { origin, reasons } = await findBroker({ jarsOnly: true });
  if (origin?.source !== 'jars' && origin?.source !== 'KAFKA_HOME') {
    throw new RetryableError('no-broker', `no brokers can be started from jars here: ${reasons.join('; ')}`);
  }
  const archive = join(origin.libs, '..', 'classes.jsa');
  // Only where a broker that ran alone has made the archive: several brokers would write it at once.
  const jvm = existsSync(archive) ? { ...origin, archive } : origin;
  const clusterId = randomId();
  const members: Member[] = [];
  for (let number = 0; number < size; number++) {
    const dir = resolve(options.dir, `broker-${number}`);
    await mkdir(dir, { recursive: true });
    members.push({ number, dir, ports: await freePorts(), directoryId: randomId() });
  }
  const voters = members
    .map(({ number, ports, directoryId }) => `${number + 1}@127.0.0.1:${ports.controller}:${directoryId}`)
    .join(',');
  const processes = await Promise.all(
    members.map(async ({ number, dir, ports }) => {
      const config = join(dir, 'server.properties');
      const own = { front: fronts[number], settings: { ...clusterSettings(members, number), ...settings } };
      await writeFile(config, serverProperties(ports, join(dir, 'data'), own));
      await formatStorage(jvm, config, clusterId, ['--initial-controllers', voters]);
      return new BrokerProcess(jvm, config, join(dir, 'broker.log'));
    }),
  );
  const brokers = members.map(({ ports }) => `127.0.0.1:${ports.broker}`).join(',');
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((broker) => broker.end('SIGTERM')));
  };
  const whole = async (): Promise<void> => {
    const running = processes.filter(({ gone }) => !gone);
    const died = () => running.some(({ gone }) => gone);
    if (await waitUntilReady(brokers, READY_MS, died, running.length)) return;
    const words = processes.map(({ lastWords }) => lastWords).join('\n');
    await stop();
    throw new RetryableError('broker-start', `the brokers at ${brokers} did not find each other; ${words}`);
  };
  for (const broker of processes) broker.start();
  await whole();
  const nodes = processes.map((broker, number) => ({
    address: brokers.split(',')[number] ?? '',
    kill: () => broker.end('SIGKILL'),
    restart: async () => {
      broker.start();
      await whole();
    },
    signal: (signal: NodeJS.Signals) => broker.signal(signal),
  }));
  return { brokers, nodes, stop };
}

interface Member {
  readonly number: number;
  readonly dir: string;
  readonly ports: Ports;
  readonly directoryId: string;
}

function clusterSettings(members: readonly Member[], number: number): Settings {
  const copies = String(members.length);
  const inSync = String(Math.max(1, members.length - 1));
  return {
    'node.id': String(number + 1),
    'controller.quorum.bootstrap.servers': members
      .map(({ ports }) => `127.0.0.1:${ports.controller}`)
      .join(','),
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'unclean.leader.election.enable': 'false',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': inSync,
    // A dead follower must leave the in-sync set well before a producer gives up.
    'replica.lag.time.max.ms': '5000',
  };
}
