import type { BadEvent } from '../errors/errors.ts';
import type { GraphChange } from '../graph/edge.ts';

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
  /** What it says, where its source had to read it already. */
  readonly content?: RecordContent;
}

/** What a record does to the graph, or why it can't be used. */
export interface RecordContent {
  readonly changes: readonly GraphChange[];
  readonly problem?: BadEvent;
}

/** Consecutive offsets of one partition that are read. Markers, aborted and compacted records leave gaps: `records` may be empty. */
export interface RecordRun {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SourceRecord[];
  /** Every offset below this one is read. */
  readonly next: number;
}

/** The consumer of a log that is followed. */
export interface Follower {
  /** The offset to read next, or undefined to start at the earliest one the log holds. */
  position(topic: string, partition: number): number | undefined;
  /**
   * Takes a run: in offset order within a partition, each offset once. The partition is read on once the returned promise
   * resolves: back-pressure.
   */
  take(run: RecordRun): Promise<void> | void;
  /** The log can't be followed any further. */
  failed(error: Error): void;
}

/** What the writer of a store leaves with its group's offsets: whose vectors the embeddings topic holds. */
export interface WriterNote {
  /** The run of training its vectors come from. */
  readonly space: string;
  readonly epoch: number;
  /** Of its last commit, as published. */
  readonly step: number;
}

/** What a group was last told by `commit`, by whichever of its members. */
export interface GroupCommit {
  readonly offsets: Offsets;
  /** Absent where no member left a note. */
  readonly note?: WriterNote;
}

/** What a process says of itself when it asks for leadership. */
export interface Candidate {
  /** Offset to read next by topic and partition: left with a group that has none yet, for lag tools. */
  position(topic: string, partition: number): number | undefined;
  /** Leadership that was held is lost, or can't be asked for any more. */
  failed(error: Error): void;
}

/** Leadership of a group: who may write a graph's store and topic. Says nothing about reading. */
export interface Leadership {
  /**
   * Resolves once this process is its group's one leader, however long the brokers are out of reach; a standby waits
   * for its turn.
   * @throws FatalError `group-in-use` when another process leads and this one is no standby, RetryableError `stopped`.
   */
  join(candidate: Candidate): Promise<void>;
  /** Tells the group the offsets of the last commit, for lag tools, and the writer's note. The store stays the truth. */
  commit(offsets: Offsets, note?: WriterNote): Promise<void>;
  /** Waits while the brokers are out of reach. @throws RetryableError `stopped` when stopped meanwhile. */
  committed(): Promise<GroupCommit>;
  /**
   * Resolves once the brokers have said within the lease (or, where fresh is asked for, since the call) that this
   * process is its group's one leader; waits while the brokers are out of reach.
   * @throws FatalError `fenced` when another has taken over, RetryableError `stopped` when stopped meanwhile.
   */
  confirm(options?: { fresh: boolean }): Promise<void>;
  /** Leaves the group. Idempotent. */
  stop(): Promise<void>;
}

/** A part of one partition: offsets from `from` up to, but without, `until`. */
export interface Stretch {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly until: number;
}

/** What one partition holds now: the first offset kept and the one after the last. */
export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly low: number;
  readonly high: number;
}

/** Records of one stretch, in offset order. */
export interface StretchCursor {
  readonly stretch: Stretch;
  /**
   * The next records, at least one; undefined at the stretch's end, also where the last offsets before it hold none.
   * Waits for what is not written yet, and while the log is out of reach. One call at a time.
   * @throws FatalError when the log no longer holds the stretch, RetryableError `stopped` when closed meanwhile.
   */
  next(): Promise<SourceRecord[] | undefined>;
}

/**
 * A log of event records: what it holds, bounded parts of it, and all of it from given positions on. What is asked at
 * once is refused with a RetryableError while the log is out of reach; cursors and followers wait.
 */
export interface EventLog {
  /** By topic in the order asked, then partition. @throws FatalError naming the topics that are missing. */
  ranges(topics: readonly string[]): Promise<PartitionRange[]>;
  /** The first offset of each partition whose record the log dates at `timeMs` or later; its end where there is none. */
  offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets>;
  /** The identity a topic got when it was made, by name; a topic made again has another. Empty where the log has none. */
  topicIds(topics: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /**
   * A cursor for each stretch, in the order given. Any of them may be asked while others are not: one that isn't is
   * read ahead by a bounded number of bytes. What is wrong with a stretch is said by its cursor.
   */
  read(stretches: readonly Stretch[]): Promise<StretchReading>;
  /**
   * Hands every record from the follower's positions on to it, those of partitions added later too, until closed.
   * Resolves once reading has begun, however long the log is out of reach.
   * @throws FatalError `topics-missing`; `offset-out-of-range` when a position is outside of what the log holds;
   * RetryableError `stopped` when the log is closed meanwhile.
   */
  follow(topics: readonly string[], follower: Follower): Promise<Following>;
  /** Ends every reading. Idempotent. */
  close(): Promise<void>;
}

/** What an updater needs of the log that it follows. */
export type FollowedLog = Pick<EventLog, 'ranges' | 'topicIds' | 'follow' | 'close'>;

/** A log of which bounded parts are read. */
export type ReadableLog = Pick<EventLog, 'ranges' | 'read'>;

/** A log that is followed. No run is handed over once `close` is called. */
export interface Following {
  /** Idempotent. */
  close(): Promise<void>;
}

/** Stretches being read. */
export interface StretchReading {
  readonly cursors: readonly StretchCursor[];
  /** Idempotent. */
  close(): Promise<void>;
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
   * Resolves once every message is acknowledged by all in-sync replicas, in order within a key. One attempt, bounded by
   * a time of the sink's own: `Delivery` is the one place that tries again, with a backoff and a metric.
   * @throws RetryableError when some could not be; all may then be sent again. FatalError `fenced` when another
   * process has taken the topic over.
   */
  publish(messages: readonly Message[]): Promise<void>;
  /**
   * Makes this process the one publisher of the sink's fenced topic, where it has one: what others have in flight is
   * refused from then on. Waits while the log is out of reach.
   * @throws FatalError `fenced` when another process reads for the group, RetryableError `stopped`.
   */
  takeOver(): Promise<void>;
  /** Waits for what is in flight. Idempotent. */
  stop(): Promise<void>;
}

/** A request to a log that failed for the moment and is tried again. */
export interface Trouble {
  readonly brokers: string;
  /** Epoch ms of the first failure in a row. */
  readonly since: number;
  /** Failures in a row, from 1. */
  readonly attempt: number;
  /** Code of the error: `broker-unreachable` where nobody answered, another where the brokers answered with a refusal. */
  readonly code: string;
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
