import type { Broker, Cluster, Kafka } from 'kafkajs';
import { FatalError } from '../../../errors/errors.ts';

/** What kafkajs's connections send: see `src/network/connection.js`. */
export interface Exchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<unknown>;
  };
  readonly response: { decode(payload: Buffer): Promise<T>; parse(answer: T): Promise<T> };
}

/** A broker of kafkajs once connected; its types leave out the connections. */
export interface ConnectedBroker {
  /** Of the requests it knows, by key. */
  readonly versions: Readonly<Record<number, { maxVersion: number }>>;
  readonly connectionPool: { send<T>(exchange: Exchange<T>): Promise<T> };
}

/** kafkajs hands its cluster, which nothing else gives out, to whoever assigns partitions; no group is joined here. */
export function clusterOf(kafka: Kafka): Cluster {
  const given: Cluster[] = [];
  const capture = ({ cluster }: { cluster: Cluster }) => {
    given.push(cluster);
    return {
      name: 'none',
      version: 0,
      assign: async () => [],
      protocol: () => ({ name: '', metadata: Buffer.alloc(0) }),
    };
  };
  kafka.consumer({ groupId: 'none', allowAutoTopicCreation: false, partitionAssigners: [capture] });
  return given[0]!;
}

/** A broker of the cluster, logged in to as configured. */
export async function connectedBroker(cluster: Cluster, nodeId: string): Promise<ConnectedBroker> {
  const broker = await cluster.findBroker({ nodeId });
  await broker.connect();
  if (!isConnected(broker)) {
    throw new FatalError('kafkajs', 'kafkajs is not the release whose connections are known here: 2.2.4');
  }
  return broker;
}

function isConnected(broker: Broker): broker is Broker & ConnectedBroker {
  return 'versions' in broker && 'connectionPool' in broker;
}
