import { EmbeddingReader, textOf } from '../../topics/embeddings.ts';
import { decodeRelation } from '../../topics/model.ts';
import { type RecordLimits, readRecord } from '../../topics/record.ts';
import type { EventTopic } from '../../topics/topic.ts';
import { BadEvent, reasonOf, ShapeError, UsageError } from '../errors/errors.ts';
import { type EntityKey, isOfType, parseEntityKey } from '../graph/entity.ts';
import type { EventLog, PartitionRange, RecordRun, SourceRecord } from '../pipeline/ports.ts';
import type { Activity } from './activity/activity.ts';
import type { Gate } from './shared-passes.ts';
import { RefusedSpace, type Spaces } from './spaces.ts';

interface ReadingOptions {
  readonly log: EventLog;
  readonly topics: readonly string[];
  /** Takes each run, in order within a partition. It is read, and the partition read on, once the promise resolves. */
  take(run: RecordRun): Promise<void> | void;
  /** Told that the log can't be followed any further. */
  failed(error: Error): void;
}

/**
 * Topics that are read from their start and then followed. A reading has caught up once it has read everything that was
 * there when it began. It decodes nothing: whoever takes the records handles their contents, tombstones included.
 */
export class Reading {
  readonly #options: ReadingOptions;
  readonly #next = new Map<string, number>();
  #ranges: readonly PartitionRange[];
  #wasCaughtUp = false;
  /** What `lag` gave, until more is read or the ends are looked at. */
  #knownLag: number | undefined;

  private constructor(options: ReadingOptions, ranges: readonly PartitionRange[]) {
    this.#options = options;
    this.#ranges = ranges;
  }

  /** Resolves once the reading has begun. @throws FatalError `topics-missing`; RetryableError while the log is out of reach. */
  static async begin(options: ReadingOptions): Promise<Reading> {
    const reading = new Reading(options, await options.log.ranges(options.topics));
    await options.log.follow(options.topics, {
      position: () => undefined,
      take: (run) => reading.#take(run),
      failed: options.failed,
    });
    return reading;
  }

  /** Once true, always true. */
  get caughtUp(): boolean {
    this.#wasCaughtUp ||= this.lag === 0;
    return this.#wasCaughtUp;
  }

  /** Offsets between what is read and the ends as they were last looked at. */
  get lag(): number {
    this.#knownLag ??= this.#ranges.reduce((sum, range) => {
      const next = this.#next.get(placeOf(range)) ?? range.low;
      return sum + Math.max(0, range.high - Math.max(range.low, next));
    }, 0);
    return this.#knownLag;
  }

  /** What there was to read when the ends were last looked at. */
  get whole(): number {
    return this.#ranges.reduce((sum, { low, high }) => sum + high - low, 0);
  }

  /** Looks where the topics end now. @throws RetryableError while the log is out of reach. */
  async look(): Promise<void> {
    this.#ranges = await this.#options.log.ranges(this.#options.topics);
    this.#knownLag = undefined;
  }

  async #take(run: RecordRun): Promise<void> {
    await this.#options.take(run);
    this.#next.set(placeOf(run), run.next);
    this.#knownLag = undefined;
  }
}

function placeOf({ topic, partition }: Pick<RecordRun, 'topic' | 'partition'>): string {
  return `${topic}/${partition}`;
}

const NO_HEADERS: NonNullable<SourceRecord['headers']> = {};

/** A record that could not be used, and why. */
export type SkippedRecord = Pick<SourceRecord, 'topic' | 'partition' | 'offset'> & {
  readonly reason: string;
};

export interface VectorFeedOptions {
  readonly graph: string;
  /** Entity types of the graph. */
  readonly types: readonly string[];
  readonly modelTopic: string;
  readonly spaces: Spaces;
  /** What is read is written through it. */
  readonly gate: Gate;
  /** Told of each record that is skipped. */
  skipped(record: SkippedRecord): void;
  /** Told of each vector that is visible from now on. timestamp: when the record was written, epoch ms. */
  visible(timestamp: number): void;
}

/** Turns records of a graph's two topics with vectors into its spaces. A record that is none is skipped and counted. */
export class VectorFeed {
  skippedRecords = 0;
  /** Those of them that are of refused spaces; the first is told for all. */
  refusedRecords = 0;
  readonly #options: VectorFeedOptions;
  readonly #embeddings = new EmbeddingReader();

  constructor(options: VectorFeedOptions) {
    this.#options = options;
  }

  /** Resolves once the records are in the spaces, or skipped; undefined where they are at once. */
  take({ records }: RecordRun): Promise<void> | undefined {
    return this.#options.gate.write(() => {
      for (const record of records) this.#take(record);
    });
  }

  #take(record: SourceRecord): void {
    try {
      this.#write(record);
    } catch (error) {
      const isOfRecord =
        error instanceof ShapeError || error instanceof UsageError || error instanceof BadEvent;
      if (!isOfRecord) throw error;
      this.skippedRecords++;
      if (error instanceof RefusedSpace && this.refusedRecords++ > 0) return;
      const { topic, partition, offset } = record;
      this.#options.skipped({ topic, partition, offset, reason: reasonOf(error) });
      return;
    }
    this.#options.visible(record.timestamp);
  }

  /** Does to the spaces what the record says. */
  #write({ topic, key, value, headers = NO_HEADERS }: SourceRecord): void {
    const { modelTopic, spaces } = this.#options;
    if (topic === modelTopic) {
      const relation = decodeRelation(key, headers, value);
      this.#checkGraph(relation);
      spaces.relate(relation);
      return;
    }
    const entity = parseEntityKey(key?.toString('utf8') ?? '');
    this.#checkType(entity);
    if (value === null) {
      // A deletion by hand has a key alone. A tombstone needs no header; one of another graph is refused.
      if (headers['graph'] !== undefined) this.#checkGraph({ graph: textOf(headers, 'graph') });
      spaces.erase(entity);
      return;
    }
    const embedding = this.#embeddings.read(headers, value);
    this.#checkGraph(embedding);
    if (embedding.vector === null || !hasFiniteNumbers(embedding.vector))
      throw new ShapeError('the vector holds a number that is not finite');
    spaces.embed(entity, embedding);
  }

  /** A table takes gigabytes of addresses: none is made for a type that nobody can ask for. */
  #checkType(entity: EntityKey): void {
    const { types } = this.#options;
    if (!types.some((type) => isOfType(entity, type)))
      throw new ShapeError(`${entity} is of none of the types of the graph: ${types.join(', ')}`);
  }

  #checkGraph({ graph }: { readonly graph: string }): void {
    if (graph !== this.#options.graph)
      throw new ShapeError(`the record is of the graph ${graph}, not ${this.#options.graph}`);
  }
}

/** As `vector.every(Number.isFinite)`, which takes ten times as long. Float32 numbers are too few and too small for an infinite sum. */
function hasFiniteNumbers(vector: Float32Array): boolean {
  let sum = 0;
  for (let k = 0; k < vector.length; k++) sum += vector[k]!;
  return Number.isFinite(sum);
}

export interface ActivityFeedOptions {
  readonly activity: Activity;
  /** By full name on the log. */
  readonly topics: ReadonlyMap<string, EventTopic>;
  readonly limits: RecordLimits;
  /** Told of each entity that an event names, and of the event's time. */
  active?(entity: EntityKey, at: number): void;
}

/** Turns records of event topics into what users did. Records that an updater writes to the dead letters are left out. */
export class ActivityFeed {
  /** Records that can't be used. */
  rejected = 0;
  /** From which time of the log on all events are known, epoch ms; 0 where the log still has the first ones. */
  since = 0;
  readonly #begun = new Set<string>();
  readonly #options: ActivityFeedOptions;

  constructor(options: ActivityFeedOptions) {
    this.#options = options;
  }

  take({ topic: name, partition, records }: RecordRun): void {
    const { activity, topics, limits, active } = this.#options;
    const topic = topics.get(name);
    if (topic === undefined) return;
    this.#begin(`${name}/${partition}`, records[0]);
    for (const record of records) {
      try {
        for (const change of readRecord(topic, record, limits)) {
          if ('lhs' in change) {
            active?.(change.lhs, change.at);
            active?.(change.rhs, change.at);
          }
          // A log without timestamps has -1.
          activity.take(change, record.timestamp < 0 ? change.at : record.timestamp);
        }
      } catch (error) {
        if (!(error instanceof BadEvent)) throw error;
        this.rejected++;
      }
    }
  }

  /** Where the first records of a partition are gone, what they said is not known. */
  #begin(partition: string, first: SourceRecord | undefined): void {
    if (first === undefined || this.#begun.has(partition)) return;
    this.#begun.add(partition);
    if (first.offset > 0) this.since = Math.max(this.since, first.timestamp);
  }
}
