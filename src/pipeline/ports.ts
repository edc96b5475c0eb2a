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
}

/** Who reads a source. Both calls are synchronous: see the note on `group_join` in the Kafka adapter. */
export interface SourceReader {
  /** Offset to read next, or undefined to start at the earliest there is. */
  position(topic: string, partition: number): number | undefined;
  /** Takes records, in offset order within a partition. False: no room after these, stop until `resume`. */
  accept(records: SourceRecord[]): boolean;
  /** The source can't go on by itself; what it was doing is in the error. */
  failed(error: Error): void;
}

/** A log of event records, read from positions its reader keeps. */
export interface Source {
  /** Offset after the last record of each partition, now. */
  ends(): Promise<Offsets>;
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
  readonly headers: Record<string, string>;
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
