import type { BadEvent } from '../errors/errors.ts';
import type { GraphChange } from '../graph/edge.ts';
import type { Position, Positions } from '../graph/head.ts';

export type { Position, Positions };

/** Next offset to read, by topic and partition. Offsets are safe integers, checked where they enter. */
export type Offsets = Record<string, Record<string, number>>;

/** A partition of a topic. */
export interface Partition {
  readonly topic: string;
  readonly partition: number;
}

/** One record as the log holds it. */
export interface SourceRecord extends Partition {
  readonly offset: number;
  /** The log's time of the record, epoch ms. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The last header of each name. Absent when the record has none. */
  readonly headers?: Readonly<Record<string, Buffer>>;
  /** The parsed record, where the log had to parse it already. */
  readonly content?: RecordContent;
}

/** What a record does to the graph, or why it can't be used. */
export interface RecordContent {
  readonly changes: readonly GraphChange[];
  readonly problem?: BadEvent | undefined;
}

/** Consecutive offsets of one partition. Markers, aborted and compacted records leave gaps; `records` may be empty. */
export interface RecordRun extends Partition {
  readonly records: readonly SourceRecord[];
  /** Every offset below this one is read. */
  readonly next: number;
  /** Leader epoch of all offsets of the run: a run ends where another epoch begins. Absent where the log has none. */
  readonly epoch?: number | undefined;
}

/** The consumer of a log that is followed. */
export interface Follower {
  /** Where to read on, or undefined to start at the earliest offset that the log holds. */
  position(topic: string, partition: number): Position | undefined;
  /** Whether the partition is read at all, one added later included; every one unless given. */
  reads?(topic: string, partition: number): boolean;
  /**
   * Takes a run: in offset order within a partition, each offset once. The partition is read on once the returned promise
   * resolves: back-pressure.
   */
  take(run: RecordRun): Promise<void> | void;
  /** Told that the log can't be followed any further. */
  failed(error: Error): void;
}

/** The writer's note, left with the group's offsets: whose vectors the embeddings topic holds. */
export interface WriterNote {
  /** The writer's run of training. */
  readonly space: string;
  readonly epoch: number;
  /** Step of the writer's last commit, as published. */
  readonly step: number;
}

/** What `commit` told the group last, in any process. */
export interface GroupCommit {
  readonly offsets: Offsets;
  /** Absent where no process left a note. */
  readonly note?: WriterNote;
}

/** A process that asks for leadership. */
export interface Candidate {
  /** Where it reads on, for lag tools: the first offsets of a group that has none yet. */
  position(topic: string, partition: number): Position | undefined;
  /** Told that leadership is lost, or can't be asked for any more. */
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
  /** Tells the group the positions of the last commit, for lag tools, and the writer's note. The store stays the truth. */
  commit(positions: Positions, note?: WriterNote): Promise<void>;
  /** Waits while the brokers are out of reach. @throws RetryableError `stopped` when stopped meanwhile. */
  committed(): Promise<GroupCommit>;
  /**
   * Resolves once the brokers have said, asked since the call, that this process is its group's one leader. Waits while they are
   * out of reach.
   * @throws FatalError `fenced` when another process has taken over, RetryableError `stopped` when stopped meanwhile.
   */
  confirm(): Promise<void>;
  /** Leaves the group. Idempotent. */
  stop(): Promise<void>;
}

/** The partitions of some topics, divided among the processes of a group. */
export interface Shares {
  /**
   * Works on one share after the other, until stopped. Each call of `on` has ended before the next share is asked for; what it
   * throws ends the work. Waits while the brokers are out of reach.
   * @throws FatalError
   */
  work(on: (share: Share) => Promise<void>): Promise<void>;
  /** Why the process has no share, where asking for one failed. */
  readonly trouble?: string | undefined;
  /** Gives the share back. Idempotent. */
  stop(): Promise<void>;
}

/** Partitions that are this process's, until `ended`. */
export interface Share {
  readonly ended: AbortSignal;
  has(topic: string, partition: number): boolean;
  /** What was done of the partition when the share was given; undefined: nothing. */
  position(topic: string, partition: number): Position | undefined;
  /** Notes what is done; told to the group soon after. */
  done(positions: Positions): void;
}

/** A part of one partition: offsets from `from` to before `until`. */
export interface Stretch extends Partition {
  readonly from: number;
  readonly until: number;
  /** Leader epoch of the record before `from`; absent where none was read, or where it is not known. */
  readonly epoch?: number | undefined;
}

/** The offsets that one partition holds now: the first one kept, and the one after the last. */
export interface PartitionRange extends Partition {
  readonly low: number;
  readonly high: number;
}

/** Records of one stretch, in offset order. */
export interface StretchCursor {
  readonly stretch: Stretch;
  /** Leader epoch of the records given last, and of the stretch's end once it is reached. Absent where the log has none. */
  readonly epoch?: number | undefined;
  /**
   * The next records, at least one, of one leader epoch; undefined at the end of the stretch, even if its last offsets hold no records.
   * Waits for records that are not written yet, and while the log is out of reach. One call at a time.
   * @throws FatalError when the log no longer holds the stretch, or lost records that were read before it, RetryableError `stopped` when closed meanwhile.
   */
  next(): Promise<SourceRecord[] | undefined>;
}

/**
 * A log of event records: its ranges, bounded parts of it, and all of it from given positions on. Direct questions
 * fail with a RetryableError while the log is out of reach; cursors and followers wait.
 */
export interface EventLog {
  /** In the order of `topics`, then by partition. @throws FatalError naming the topics that are missing. */
  ranges(topics: readonly string[]): Promise<PartitionRange[]>;
  /** The first offset of each partition whose record has a log time of `timeMs` or later; the end where there is none. */
  offsetsAt(topics: readonly string[], timeMs: number): Promise<Offsets>;
  /** The identity of each topic, by name. A topic that is deleted and made again has another. Empty where the log has none. */
  topicIds(topics: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /**
   * A cursor for each stretch, in the order given. Each cursor can be asked independently of the others: a bounded
   * number of bytes is read ahead for it. Its errors are thrown by the cursor itself.
   */
  read(stretches: readonly Stretch[]): Promise<StretchReading>;
  /**
   * Hands over every record from the follower's positions on, also of partitions added later, until closed. Resolves
   * once reading has begun, however long the log is out of reach.
   * @throws FatalError `topics-missing`; `offset-out-of-range` when a position is outside of what the log holds;
   * RetryableError `stopped` when the log is closed meanwhile. The follower is told of `log-diverged` when the log lost records that were
   * read before a position.
   */
  follow(topics: readonly string[], follower: Follower): Promise<Following>;
  /**
   * For each position, the last one up to which the log still holds the records that were read: itself where none is lost.
   * Earlier where that is not certain.
   */
  agreed(positions: Positions): Promise<Positions>;
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

export interface StretchReading {
  readonly cursors: readonly StretchCursor[];
  /** Idempotent. */
  close(): Promise<void>;
}

export interface Message {
  readonly topic: string;
  readonly key: string | Buffer | null;
  /** null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string | Buffer>>;
  /** Of a dead letter: see `DeadLetter`. */
  readonly least?: Message;
}

/** Where messages go. */
export interface Sink {
  /**
   * Resolves once every message is acknowledged by all in-sync replicas, in order within a key. One attempt, bounded by
   * a time of the sink's own: `Delivery` is the one place that tries again, with a backoff and a metric. Values may change then.
   * @throws RetryableError when some could not be; all may then be sent again. FatalError `fenced` when another
   * process has taken the topic over.
   */
  publish(messages: readonly Message[]): Promise<void>;
  /**
   * Makes this process the one publisher of the sink's fenced topic, if the sink has one: messages that others have
   * in flight are refused from then on. Waits while the log is out of reach.
   * @throws FatalError `fenced` when another process leads the group, RetryableError `stopped`.
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

/** A topic as it is, with inherited settings among its own; or as it is to be made, with the cluster's own number of replicas. */
export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** What answers at the log's address. */
export interface LogInfo {
  readonly kind: 'kafka' | 'file';
  readonly address: string;
  readonly version: string;
  readonly nodes: readonly string[];
}

/** Manages topics; never deletes a topic, and never changes its partitions. */
export interface LogAdmin {
  info(): Promise<LogInfo>;
  /** Those of `names` that don't exist, in that order. */
  missing(names: readonly string[]): Promise<string[]>;
  /** The existing ones of `names`, in that order. */
  describe(names: readonly string[]): Promise<TopicState[]>;
  /** Leaves existing topics alone. */
  create(topics: readonly TopicState[]): Promise<void>;
  /** Sets these keys; every other setting of the topic stays. */
  alterConfigs(name: string, configs: Readonly<Record<string, string>>): Promise<void>;
  close(): Promise<void>;
}
