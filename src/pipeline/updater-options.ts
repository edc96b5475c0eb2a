import type { RecordLimits } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import type { BadEvent } from '../errors/errors.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import type { ModelIdentity } from '../graph/head.ts';
import type { Shard } from '../graph/shard.ts';
import type { Log } from '../log.ts';
import type { Measures } from './measures.ts';
import type { Neighbourhood } from './neighbours.ts';
import type { FollowedLog, Leadership, Message, ReadableLog, Sink, SourceRecord } from './ports.ts';
import type { Trainer } from './training/trainer.ts';
import type { Tuning } from './tuning.ts';
import type { ModelTopic } from './writing/relation-vectors.ts';
import type { Role } from './writing/writer.ts';

export interface UpdaterOptions {
  /** Name of the graph or, of a shard, the shard's own. */
  readonly graph: string;
  /** Absent where the graph is whole. */
  readonly shard?: Shard | undefined;
  readonly role: Role;
  /** Name for a run of training that begins here; random, so that each is unique. */
  readonly freshSpace: string;
  readonly model: ModelIdentity;
  /** Its values may change at any moment. */
  readonly tuning: Tuning;
  readonly limits: RecordLimits;
  /** Event topics by full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly embeddingsTopic: string;
  /** The other parts of the graph; `alone` where it is whole. */
  readonly neighbourhood: Neighbourhood;
  /** Where relation vectors go; absent: nowhere. */
  readonly modelTopic?: ModelTopic | undefined;
  /** The log of the event topics; the updater closes it. */
  readonly eventLog: FollowedLog;
  /** Whether this process may write: `soleLeadership` where there is no group. */
  readonly leadership: Leadership;
  readonly sink: Sink;
  /** The log from which the topics with vectors are read back after another store wrote it. A shadow never reads it. */
  readonly reader: ReadableLog;
  readonly store: GraphStore;
  readonly trainer: Trainer;
  /** The dead letter for a record, or undefined where another graph writes it. */
  deadLetter(record: SourceRecord, problem: BadEvent): Message | undefined;
  clock(): number;
  readonly log: Log;
  readonly measures?: Measures;
}

/** The topics that vectors are published to; none where they go nowhere. */
export function writtenTopics({ embeddingsTopic, modelTopic }: UpdaterOptions): string[] {
  return [embeddingsTopic, ...(modelTopic ? [modelTopic.name] : [])].filter((name) => name !== '');
}

/** The event topics, and those that join a part of a graph to the others. */
export function followedTopics(of: Pick<UpdaterOptions, 'topics' | 'neighbourhood'>): string[] {
  return [...of.topics.keys(), ...of.neighbourhood.topics];
}
