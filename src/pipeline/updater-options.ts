import type { RecordLimits } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import type { BadEvent } from '../errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { ModelIdentity } from '../graph/head.ts';
import type { Log } from '../log.ts';
import type { Message, Sink, Source, SourceRecord } from './ports.ts';
import type { Trainer } from './trainer.ts';

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
}

export interface UpdaterOptions {
  readonly graph: string;
  readonly model: ModelIdentity;
  readonly pace: Pace;
  readonly limits: RecordLimits;
  /** By full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly embeddingsTopic: string;
  readonly source: Source;
  readonly sink: Sink;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  /** The dead letter for a record, or undefined where another graph writes it. */
  deadLetter(record: SourceRecord, problem: BadEvent): Message | undefined;
  clock(): number;
  readonly log: Log;
}
