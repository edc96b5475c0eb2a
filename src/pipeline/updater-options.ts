import type { RecordLimits } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import type { BadEvent } from '../errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { ModelIdentity } from '../graph/head.ts';
import type { Log } from '../log.ts';
import type { Measures } from './measures.ts';
import type { LogReader, Message, Sink, Source, SourceRecord } from './ports.ts';
import type { Trainer } from './training/trainer.ts';
import type { Tracks } from './writing/tracks.ts';
import type { Role } from './writing/writer.ts';

/** When batches and commits are cut. Counts alone give the same bytes for the same events. */
export interface Pace {
  /** Edges to a batch. */
  readonly batchEdges: number;
  /** A batch is trained at this age however small; Infinity: cut by count alone. */
  readonly lingerMs: number;
  /** Edges trained before a commit … */
  readonly commitEdges: number;
  /** … or time since the last one. */
  readonly commitMs: number;
  /** Bytes of records read ahead of training: the back-pressure bound. */
  readonly queueBytes: number;
  /** Vectors that may wait to be acknowledged before reading pauses. */
  readonly maxOutbox: number;
}

export interface UpdaterOptions {
  readonly graph: string;
  readonly role: Role;
  /** Name for a run of training that begins here; random, so that no two are the same. */
  readonly freshSpace: string;
  readonly model: ModelIdentity;
  readonly pace: Pace;
  readonly limits: RecordLimits;
  /** It is not ready while further behind than this; Infinity: however far. */
  readonly readyLagMs?: number;
  /** By full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly embeddingsTopic: string;
  readonly source: Source;
  readonly sink: Sink;
  /** For reading the embeddings topic back where another store wrote it; who asks closes it. A shadow never asks. */
  readonly reader: () => LogReader;
  readonly store: GraphStore;
  /** The store as it is before anything is written, for reading it whole; undefined: that is as well read from `store`. */
  readonly view?: () => Promise<GraphStore | undefined>;
  readonly trainer: Trainer;
  /** The dead letter for a record, or undefined where another graph writes it. */
  deadLetter(record: SourceRecord, problem: BadEvent): Message | undefined;
  clock(): number;
  readonly log: Log;
  readonly measures?: Measures;
  /** Notes there how the entities that are followed move; whoever composes the next updater may hand it on. */
  readonly tracks?: Tracks;
}
