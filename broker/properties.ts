import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { hasCode } from '../src/errors/errors.ts';

/** Ports to choose from: outgoing connections get higher ones, on Linux and elsewhere. */
const PORTS = [10_000, 32_000] as const;

export interface Ports {
  readonly broker: number;
  readonly controller: number;
}

/** A second listener of a broker, for clients that connect through a proxy. */
export interface Front {
  /** Port that the broker listens on. */
  readonly listens: number;
  /** Port that the broker tells the clients of this listener. */
  readonly advertised: number;
}

/** Two loopback ports that were free at the time of the call. */
export async function freePorts(): Promise<Ports> {
  const servers = [await listening(), await listening()] as const;
  const [broker, controller] = [servers[0].port, servers[1].port];
  await Promise.all(servers.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  return { broker, controller };
}

/** A server on a port that no outgoing connection gets, so that the port is still free some time after. */
async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  for (;;) {
    const port = randomInt(...PORTS);
    const isFree = new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(true));
      server.once('error', (error) => (hasCode(error, 'EADDRINUSE') ? resolve(false) : reject(error)));
      server.listen(port, '127.0.0.1');
    });
    if (await isFree) return { server, port };
    server.removeAllListeners();
  }
}

/** Properties by name. */
export type Settings = Readonly<Record<string, string>>;

/**
 * server.properties of one broker that is its own controller, on loopback, with its data in `dataDir`.
 * settings: come last, because the last line of a name counts.
 */
export function serverProperties(
  ports: Ports,
  dataDir: string,
  { front, settings = {} }: { readonly front?: Front | undefined; readonly settings?: Settings } = {},
): string {
  return `${[
    'process.roles=broker,controller',
    'node.id=1',
    `listeners=PLAINTEXT://127.0.0.1:${ports.broker},CONTROLLER://127.0.0.1:${ports.controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${ports.broker}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    `controller.quorum.bootstrap.servers=127.0.0.1:${ports.controller}`,
    `log.dirs=${dataDir}`,
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    // The first transaction waits until all partitions of this topic are made.
    'transaction.state.log.num.partitions=4',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    // A restart after a kill waits for the end of the dead broker's session, so the session is short. Several heartbeats
    // fit into the session: otherwise a busy machine fences the only broker, and groups lose their coordinator.
    'broker.session.timeout.ms=6000',
    'broker.heartbeat.interval.ms=500',
    'auto.create.topics.enable=false',
    ...(front === undefined ? [] : frontLines(ports, front)),
    ...Object.entries(settings).map(([name, value]) => `${name}=${value}`),
  ].join('\n')}\n`;
}

function frontLines({ broker, controller }: Ports, { listens, advertised }: Front): string[] {
  const own = `PLAINTEXT://127.0.0.1:${broker}`;
  return [
    `listeners=${own},CONTROLLER://127.0.0.1:${controller},FRONT://127.0.0.1:${listens}`,
    `advertised.listeners=${own},FRONT://127.0.0.1:${advertised}`,
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FRONT:PLAINTEXT',
    'inter.broker.listener.name=PLAINTEXT',
  ];
}
