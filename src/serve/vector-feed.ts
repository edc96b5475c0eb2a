import { decodeEmbedding, textOf } from '../../topics/embeddings.ts';
import { decodeRelation } from '../../topics/model.ts';
import { BadEvent, reasonOf, ShapeError, UsageError } from '../errors/errors.ts';
import { parseEntityKey } from '../graph/entity.ts';
import type { RecordRun, SourceRecord } from '../pipeline/ports.ts';
import type { Gate } from './gate.ts';
import type { Spaces } from './spaces.ts';

/** A record that could not be used. */
export interface SkippedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
}

export interface VectorFeedOptions {
  readonly graph: string;
  readonly embeddingsTopic: string;
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
  /** Records taken, those skipped included. */
  records = 0;
  skippedRecords = 0;
  readonly #options: VectorFeedOptions;

  constructor(options: VectorFeedOptions) {
    this.#options = options;
  }

  /** Resolves once the records are in the spaces, or skipped; undefined where they are at once. */
  take({ records }: RecordRun): Promise<void> | undefined {
    const writes: { readonly record: SourceRecord; readonly write: () => void }[] = [];
    for (const record of records) {
      this.records++;
      const write = this.#unlessOfRecord(record, () => this.#read(record));
      if (write !== undefined) writes.push({ record, write });
    }
    return this.#options.gate.write(() => {
      for (const { record, write } of writes) {
        this.#unlessOfRecord(record, () => {
          write();
          this.#options.visible(record.timestamp);
        });
      }
    });
  }

  /** What the work gives; undefined where the record is to blame that it fails, and is skipped. */
  #unlessOfRecord<T>(record: SourceRecord, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isOfRecord(error)) throw error;
      this.skippedRecords++;
      const { topic, partition, offset } = record;
      this.#options.skipped({ topic, partition, offset, reason: reasonOf(error) });
      return undefined;
    }
  }

  /** What the record does to the spaces. */
  #read({ topic, key, value, headers = {} }: SourceRecord): () => void {
    const { modelTopic, spaces } = this.#options;
    if (topic === modelTopic) {
      const relation = decodeRelation(key, headers, value);
      this.#checkGraph(relation);
      return () => spaces.relate(relation);
    }
    const entity = parseEntityKey(key?.toString('utf8') ?? '');
    if (value === null) {
      // Whoever deletes by hand sends a key alone. No header makes it less of a deletion, except that of another graph.
      if (headers['graph'] !== undefined) this.#checkGraph({ graph: textOf(headers, 'graph') });
      return () => spaces.erase(entity);
    }
    const embedding = decodeEmbedding(headers, value);
    this.#checkGraph(embedding);
    if (embedding.vector?.every(Number.isFinite) !== true)
      throw new ShapeError('the vector holds a number that is not finite');
    return () => spaces.embed(entity, embedding);
  }

  #checkGraph({ graph }: { readonly graph: string }): void {
    if (graph !== this.#options.graph)
      throw new ShapeError(`the record is of the graph ${graph}, not ${this.#options.graph}`);
  }
}

/** Whether the record is to blame. */
function isOfRecord(error: unknown): boolean {
  return error instanceof ShapeError || error instanceof UsageError || error instanceof BadEvent;
}
