import { EmbeddingReader, textOf } from '../../topics/embeddings.ts';
import { decodeRelation } from '../../topics/model.ts';
import { BadEvent, reasonOf, ShapeError, UsageError } from '../errors/errors.ts';
import { type EntityKey, isOfType, parseEntityKey } from '../graph/entity.ts';
import type { RecordRun, SourceRecord } from '../pipeline/ports.ts';
import type { Gate } from './shared-passes.ts';
import type { Spaces } from './spaces.ts';

const NO_HEADERS: NonNullable<SourceRecord['headers']> = {};

/** A record that could not be used. */
export interface SkippedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
}

export interface VectorFeedOptions {
  readonly graph: string;
  /** Entity types of the graph. */
  readonly types: readonly string[];
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
    this.records++;
    try {
      this.#write(record);
    } catch (error) {
      if (!isOfRecord(error)) throw error;
      this.skippedRecords++;
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
      // Whoever deletes by hand sends a key alone. No header makes it less of a deletion, except that of another graph.
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

/** Whether the record is to blame. */
function isOfRecord(error: unknown): boolean {
  return error instanceof ShapeError || error instanceof UsageError || error instanceof BadEvent;
}

/**
 * As `vector.every(Number.isFinite)`, which takes ten times as long: it calls a function for each number. What is not finite is no
 * number any more once it is taken from itself. Four sums do not wait for one another.
 */
function hasFiniteNumbers(vector: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const fours = vector.length & ~3;
  for (let k = 0; k < fours; k += 4) {
    a += vector[k]! - vector[k]!;
    b += vector[k + 1]! - vector[k + 1]!;
    c += vector[k + 2]! - vector[k + 2]!;
    d += vector[k + 3]! - vector[k + 3]!;
  }
  for (let k = fours; k < vector.length; k++) a += vector[k]! - vector[k]!;
  return a + b + c + d === 0;
}
