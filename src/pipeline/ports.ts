/** Next offset to read, by topic and partition. Offsets are safe integers, checked where they come in. */
export type Offsets = Record<string, Record<string, number>>;

/** One record as the log holds it. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** The log's own time for the record, epoch ms. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** As the log holds them; the last one where a name comes twice. Absent when the record has none. */
  readonly headers?: Readonly<Record<string, Buffer>>;
}

/** Who reads a source. Both calls are synchronous: see the note on `group_join` in the Kafka adapter. */
export interface SourceReader {
  /** Offset to read next, or undefined to start at the earliest there is. */
  position(topic: string, partition: number): number | undefined;
  /** Takes records, in offset order within a partition. False: no room after these, stop until `resume`. */
  accept(records: SourceRecord[]): boolean;
  /** Everything below `offset` is read, though its last records were not for readers: markers of transactions. */
  skipped?(topic: string, partition: number, offset: number): void;
  /** The source can't go on by itself; what it was doing is in the error. */
  failed(error: Error): void;
}

/** A log of event records, read from positions its reader keeps. */
export interface Source {
  /** Offset after the last record of each partition, now. */
  ends(): Promise<Offsets>;
  /**
   * Resolves once records flow, however long the log is out of reach, or when stopped before.
   * @throws FatalError when a topic is missing or a position is outside of what the log holds.
   */
  start(reader: SourceReader): Promise<void>;
  /** There is room again. */
  resume(): void;
  /** Tells the log how far the reader is; for lag tools only, never read back. */
  commit(offsets: Offsets): Promise<void>;
  /** Leaves the group; no record is handed over afterwards. Idempotent. */
  stop(): Promise<void>;
}

/** One message to be published. */
export interface Message {
  readonly topic: string;
  readonly key: string | Buffer | null;
  /** null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
}

/** Where messages go. */
export interface Sink {
  /**
   * Resolves once every message is acknowledged by all in-sync replicas, in order within a key.
   * @throws RetryableError when some could not be; all may then be sent again.
   */
  publish(messages: readonly Message[]): Promise<void>;
  /** Waits for what is in flight. Idempotent. */
  stop(): Promise<void>;
}

/** A log that can't be reached at the moment; the source or sink keeps trying. */
export interface Trouble {
  readonly brokers: string;
  /** Epoch ms of the first failure in a row. */
  readonly since: number;
  /** Failures in a row, from 1. */
  readonly attempt: number;
  readonly reason: string;
}

/** A topic as it should be. */
export interface TopicDeclaration {
  readonly name: string;
  readonly partitions: number;
  /** The cluster's own default when absent. */
  readonly replicationFactor?: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** A topic as it is. `configs` holds what was set on the topic itself and the values it inherits. */
export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** What answers at the address. */
export interface LogInfo {
  readonly kind: 'kafka' | 'file';
  readonly address: string;
  readonly version: string;
  readonly nodes: readonly string[];
}

/** Looks after topics; never shrinks or deletes one. */
export interface LogAdmin {
  info(): Promise<LogInfo>;
  /** Those of `names` that exist, in that order. */
  describe(names: readonly string[]): Promise<TopicState[]>;
  /** Does nothing to a topic that exists. */
  create(topics: readonly TopicDeclaration[]): Promise<void>;
  /** partitions: how many there are afterwards. */
  addPartitions(name: string, partitions: number): Promise<void>;
  /** Sets these and leaves every other setting of the topic as it is. */
  alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}
