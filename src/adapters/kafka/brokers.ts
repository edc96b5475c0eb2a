import { setTimeout as sleep } from 'node:timers/promises';
import {
  apiVersionsV3,
  type Broker,
  type Connection,
  ConnectionPool,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  metadataV12,
  parseBroker,
} from '@platformatic/kafka';
import { FatalError } from '../../errors/errors.ts';
import { answered } from './failure.ts';
import { addressOf, type KafkaSettings, saslOf, tlsOf } from './settings.ts';

export type Metadata = metadataV12.MetadataResponse;
export type PartitionMetadata = Metadata['topics'][number]['partitions'][number];

const CONNECT_MS = 3_000;
/** Longer than any time for which a request asks a broker to wait. */
const REQUEST_MS = 30_000;
/** TCP keep-alive, so that no firewall drops an idle connection. */
const KEEP_ALIVE_MS = 60_000;
/** Connections that are still open this long after `close` are destroyed. */
const CLOSE_MS = 1_000;

export const GROUP = FindCoordinatorKeyTypes.GROUP;
export const TRANSACTION = FindCoordinatorKeyTypes.TRANSACTION;

/** The newest request versions used, by request key: Kafka 3.1, the oldest supported release, has all of them. */
const NEEDED = new Map([
  [1, { name: 'Fetch', version: 12 }],
  [2, { name: 'ListOffsets', version: 7 }],
  [3, { name: 'Metadata', version: 12 }],
  [9, { name: 'OffsetFetch', version: 8 }],
  [10, { name: 'FindCoordinator', version: 4 }],
  [23, { name: 'OffsetForLeaderEpoch', version: 4 }],
]);

/** Connections to the brokers of a cluster, opened at first use and again after a loss. */
export class Brokers {
  readonly #settings: KafkaSettings;
  readonly #pool: ConnectionPool;
  readonly #open = new Set<Connection>();
  readonly #first: Broker[];
  #nodes = new Map<number, Broker>();
  readonly #coordinators = new Map<string, Broker>();
  #versions: Promise<ReadonlyMap<number, { min: number; max: number }>> | undefined;

  constructor(settings: KafkaSettings, requestMs = REQUEST_MS) {
    const { clientId, sasl, brokers } = settings;
    const tls = tlsOf(settings);
    this.#settings = settings;
    this.#first = brokers.map((broker) => parseBroker(broker));
    this.#pool = new ConnectionPool(clientId, {
      connectTimeout: CONNECT_MS,
      requestTimeout: requestMs,
      ...(tls && { tls, tlsServerName: true }),
      ...(sasl && { sasl: saslOf(sasl) }),
    });
    this.#pool.on('connecting', ({ connection }: { connection: Connection }) => {
      this.#open.add(connection);
      // The caller that waits for the connection gets the error; without a listener the same error would end the process.
      connection.on('error', () => this.#open.delete(connection));
      connection.once('close', () => this.#open.delete(connection));
    });
    this.#pool.on('connect', ({ connection }: { connection: Connection }) => {
      connection.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    });
  }

  /** A broker that answers, of the configured ones and those of the last metadata. @throws FatalError `broker-too-old`. */
  async any(): Promise<Connection> {
    const connection = await this.#pool.getFirstAvailable([...this.#first, ...this.#nodes.values()]);
    await this.versions(connection);
    return connection;
  }

  /** The versions of each request that the cluster supports, by request key; asked once. */
  async versions(connection: Connection): Promise<ReadonlyMap<number, { min: number; max: number }>> {
    this.#versions ??= this.#askVersions(connection).catch((error: unknown) => {
      this.#versions = undefined;
      throw error;
    });
    return this.#versions;
  }

  /** The metadata of these topics, or of all where `topics` is null. The error of a topic is in the topic's entry. */
  async metadata(topics: readonly string[] | null): Promise<Metadata> {
    const names = topics === null ? null : [...topics];
    const answer = await answered(metadataV12.api.async(await this.any(), names, false, false));
    this.#nodes = new Map(answer.brokers.map((broker) => [broker.nodeId, broker]));
    return answer;
  }

  /** The broker with this number; undefined where the last metadata has none. */
  async node(id: number): Promise<Connection | undefined> {
    const broker = this.#nodes.get(id);
    return broker && this.#pool.get(broker);
  }

  /** The coordinator of a group or a transactional id. */
  async coordinator(type: typeof GROUP | typeof TRANSACTION, key: string): Promise<Connection> {
    let broker = this.#coordinators.get(key);
    if (broker === undefined) {
      const { coordinators } = await findCoordinatorV4.api.async(await this.any(), type, [key]);
      broker = coordinators[0]!;
      this.#coordinators.set(key, broker);
    }
    return this.#pool.get(broker);
  }

  /** To be called after any failure: the coordinator may be another broker by then, and is looked up again. */
  forgetCoordinators(): void {
    this.#coordinators.clear();
  }

  /** Ends within about a second, whether or not the brokers answer. */
  async close(): Promise<void> {
    const cut = new AbortController();
    const closed = this.#pool.close().catch(() => undefined);
    const late = sleep(CLOSE_MS, undefined, { signal: cut.signal, ref: false }).catch(() => undefined);
    await Promise.race([closed, late]);
    cut.abort();
    for (const connection of this.#open) connection.socket?.destroy();
    this.#open.clear();
  }

  async #askVersions(connection: Connection) {
    const { apiKeys } = await apiVersionsV3.api.async(connection, 'twhin-stream', '1');
    const versions = new Map(
      apiKeys.map(({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }]),
    );
    for (const [key, { name, version }] of NEEDED) {
      const known = versions.get(key)?.max ?? -1;
      if (known < version) {
        const message = `${addressOf(this.#settings)} runs a release of Kafka that is too old: its ${name} request ends at version ${known}, ${version} is needed; use Kafka 3.1 or newer`;
        throw new FatalError('broker-too-old', message);
      }
    }
    return versions;
  }
}
