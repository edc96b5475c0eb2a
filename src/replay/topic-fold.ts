import { decodeEmbedding, type Embedding } from '../../topics/embeddings.ts';
import { decodeRelation, type RelationVector } from '../../topics/model.ts';
import { FatalError, reasonOf } from '../errors/errors.ts';
import { CheckpointWriter } from '../graph/checkpoint-writer.ts';
import { type EntityKey, entityKey, idOf, MAX_ID_BYTES, typeOf } from '../graph/entity.ts';
import type { EntityRecord, GraphStore } from '../graph/graph-store.ts';
import { fingerprint, freshShard, type Head, type ModelIdentity, STORE_FORMAT } from '../graph/head.ts';
import { graphOf, type Shard, shardOf } from '../graph/shard.ts';
import type { SourceRecord } from '../pipeline/ports.ts';
import type { TrainerState } from '../pipeline/training/trainer.ts';

/**
 * Accumulator of a vector that comes without one: about that of a row after twenty steps of the default preset, so
 * that the next step moves the row by about a tenth of its length. From 0, a step would move it by half, and the
 * vector would be lost.
 */
export const FOLDED_ACCUMULATOR = 32;

/** The newest record of a key. */
interface Seen {
  step: number;
  /** undefined: the entity is gone, or the vector is another model's. */
  row: number | undefined;
  /** Fingerprint of another model whose vector this is. */
  foreign: string | undefined;
  space: string;
}

/** The newest vector of a key in a batch of records. */
interface Folded {
  readonly row: number;
  readonly embedding: Embedding & { readonly vector: Float32Array };
}

export interface FoldOptions {
  /** A shard's own name where the store is a shard's; then the entities of other shards are left out. */
  readonly graph: string;
  readonly shard?: Shard | undefined;
  readonly model: ModelIdentity;
  /** A new name, used where the topic of a whole graph has several spaces, and for a shard's run. */
  readonly space: string;
  readonly store: GraphStore;
  /** What a fresh store starts with. */
  readonly start: Pick<TrainerState, 'random' | 'relations'>;
}

/**
 * Makes a graph's store from the topics that its vectors are published to: entities and relations with their vectors,
 * byte for byte. Of an entity's records the one of the highest step counts, of two with one step the later one; a
 * tombstone removes the entity. Of a relation's records the last one counts.
 *
 * Everything else is as in a fresh store: no edges and no offsets of events, whose topics teach the edges again; relation vectors at
 * their start where the model topic has none of this run of training. Entities count as trained once, at the time of their vector;
 * accumulators are {@link FOLDED_ACCUMULATOR}. The run continues the topic's space where there is one, and a shard's that of its newest
 * writer in any case: the other shards would pass over what is sent in a space of its own.
 * Memory: a key and its step for each entity ever named, and the vectors.
 */
export class TopicFold {
  records = 0;
  /** When the newest of them was written to the log, epoch ms; of a shard, the newest of its own. */
  publishedAt = 0;
  /** Trained relation vectors of another run of training, once the store is finished: they are not in it. */
  strangeRelations = 0;
  readonly #of: FoldOptions;
  /** The head of the store as it is written. */
  readonly #head: Head;
  readonly #fingerprint: string;
  readonly #seen = new Map<EntityKey, Seen>();
  /** By row: the vector and the type of each entity; undefined once it is gone. */
  readonly #rows: ({ readonly vector: Float32Array; readonly type: number } | undefined)[] = [];
  /** By row: the last vector of each trained relation and direction. */
  readonly #relations = new Map<number, RelationVector>();
  /** The space of the writer with the highest epoch. */
  #newestSpace: string | undefined;

  constructor(options: FoldOptions) {
    const { graph, shard, model, space, start } = options;
    this.#of = options;
    this.#fingerprint = fingerprint(model);
    const entities: Head['entities'] = {};
    // In the order of the schema: a head is compared by its bytes.
    this.#head = {
      format: STORE_FORMAT,
      graph,
      model,
      step: 0,
      random: [...start.random],
      rows: 2 * model.relations.length,
      freed: [],
      positions: {},
      events: { consumed: 0, rejected: 0, duplicate: 0, late: 0 },
      edges: {},
      entities,
      commit: 1,
      checkpoint: 0,
      relations: 0,
      outbox: 0,
      watermark: 0,
      epoch: 0,
      space,
      stepBase: 0,
      topicIds: {},
      ...(shard && { shard: freshShard(shard, space, { edges: {}, entities }) }),
    };
  }

  /** Takes records of one partition, in their order. @throws FatalError when a record is no published vector of the graph. */
  async add(records: readonly SourceRecord[]): Promise<void> {
    const folded = new Map<EntityKey, Folded>();
    const erased: { key: EntityKey; row: number }[] = [];
    for (const record of records) this.#fold(record, folded, erased);
    this.records += records.length;
    await this.#write([...folded.entries()], erased);
  }

  /**
   * Takes records of the model topic, in their order; vectors of another model are left out.
   * @throws FatalError when a record is no published relation vector of the graph.
   */
  addRelations(records: readonly SourceRecord[]): void {
    for (const record of records) {
      const found = this.#readAs(record, () =>
        decodeRelation(record.key, record.headers ?? {}, record.value),
      );
      const relation = this.#of.model.relations.findIndex(({ name }) => name === found.relation);
      if (found.fingerprint !== this.#fingerprint || relation < 0) continue;
      const row = 2 * relation + (found.inverse ? 1 : 0);
      if (found.trained) this.#relations.set(row, found);
      else this.#relations.delete(row);
    }
  }

  /** Number of vectors by run of training. */
  spaces(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { row, space } of this.#seen.values()) {
      if (row !== undefined) counts[space] = (counts[space] ?? 0) + 1;
    }
    return counts;
  }

  /**
   * Writes the checkpoint and the final head. reached: what it has of a shard's exchange topic.
   * @throws FatalError when vectors of another model are left, or when there is no vector at all.
   */
  async finish(reached?: Pick<Head, 'positions' | 'topicIds'>): Promise<Head> {
    Object.assign(this.#head, reached);
    this.#refuseForeign();
    if (this.#vectors === 0) {
      throw new FatalError(
        'topic-record',
        `the topic holds no vector of ${this.#of.graph}; there is nothing to restore; check the name of the topic, or replay the event topics: twhin replay`,
      );
    }
    const [space, ...others] = Object.keys(this.spaces());
    const goesOn = others.length === 0 ? space : this.#of.shard && this.#newestSpace;
    if (goesOn !== undefined) this.#head.space = goesOn;
    await this.#writeRows();
    this.#head.checkpoint = this.#head.commit;
    await this.#of.store.commit({ head: this.#head });
    return this.#head;
  }

  get #vectors(): number {
    return Object.values(this.#head.entities).reduce((sum, count) => sum + count, 0);
  }

  async #writeRows(): Promise<void> {
    const { store, model } = this.#of;
    const relations = this.#relationRows();
    const { commit, step, random } = this.#head;
    await using writer = new CheckpointWriter(store.checkpoints, { commit, step, random }, model.dim + 2);
    for (const row of relations) await writer.add(row);
    const floats = new Float32Array(model.dim + 2);
    floats[model.dim] = FOLDED_ACCUMULATOR;
    while (writer.rows < this.#head.rows) {
      const found = this.#rows[writer.rows];
      floats.set(found?.vector ?? []);
      await writer.add(found && floats, found?.type, found !== undefined);
    }
    await writer.end();
  }

  /** Vector and accumulator of each relation's rows: those of a fresh store, with the published vectors in their places. */
  #relationRows(): (readonly number[])[] {
    const { model, start } = this.#of;
    const width = model.dim + 1;
    return Array.from({ length: 2 * model.relations.length }, (_, row) => {
      const found = this.#relations.get(row);
      if (found?.space === this.#head.space) {
        this.#head.step = Math.max(this.#head.step, found.step);
        return [...found.vector, FOLDED_ACCUMULATOR];
      }
      if (found !== undefined) this.strangeRelations++;
      return [...start.relations.subarray(row * width, (row + 1) * width)];
    });
  }

  #fold(
    record: SourceRecord,
    folded: Map<EntityKey, Folded>,
    erased: { key: EntityKey; row: number }[],
  ): void {
    const embedding = this.#read(record);
    const key = keyOf(record);
    const { shard } = this.#of;
    if (shard !== undefined && shardOf(key, shard.count) !== shard.index) return;
    this.publishedAt = Math.max(this.publishedAt, record.timestamp);
    const seen = this.#seen.get(key) ?? { step: -1, row: undefined, foreign: undefined, space: '' };
    if (embedding.step < seen.step) return;
    this.#seen.set(key, seen);
    seen.step = embedding.step;
    seen.space = embedding.space;
    this.#head.step = Math.max(this.#head.step, embedding.step);
    if (embedding.epoch >= this.#head.epoch) this.#newestSpace = embedding.space;
    this.#head.epoch = Math.max(this.#head.epoch, embedding.epoch);
    this.#head.watermark = Math.max(this.#head.watermark, embedding.at);
    const { vector } = embedding;
    const ours = embedding.fingerprint === this.#fingerprint;
    seen.foreign = vector === null || ours ? undefined : embedding.fingerprint;
    if (vector === null || !ours) {
      if (seen.row !== undefined) erased.push({ key, row: seen.row });
      if (seen.row !== undefined) this.#count(key, -1);
      seen.row = undefined;
      folded.delete(key);
      return;
    }
    if (!this.#of.model.entityTypes.includes(typeOf(key)))
      throw unusable(record, `no entity is called ${key}`);
    if (seen.row === undefined) {
      seen.row = this.#head.rows++;
      this.#count(key, 1);
    }
    folded.set(key, { row: seen.row, embedding: { ...embedding, vector } });
  }

  /** @throws FatalError when the record can't be decoded or is of another graph. */
  #readAs<T extends { readonly graph: string }>(record: SourceRecord, decode: () => T): T {
    let found: T;
    try {
      found = decode();
    } catch (error) {
      throw unusable(record, reasonOf(error), error);
    }
    const ours = graphOf({ name: this.#of.graph, shard: this.#of.shard });
    if (found.graph !== ours) throw unusable(record, `it is of the graph ${found.graph}, not ${ours}`);
    return found;
  }

  #read(record: SourceRecord): Embedding {
    const embedding = this.#readAs(record, () => decodeEmbedding(record.headers ?? {}, record.value));
    if (embedding.vector?.some((number) => !Number.isFinite(number)))
      throw unusable(record, 'its vector holds a number that is none');
    return embedding;
  }

  async #write(
    folded: readonly [EntityKey, Folded][],
    erased: readonly { key: EntityKey; row: number }[],
  ): Promise<void> {
    if (folded.length + erased.length === 0) return;
    const { store, model } = this.#of;
    for (const { row } of erased) this.#rows[row] = undefined;
    const entities: EntityRecord[] = folded.map(([key, { row, embedding }]) => {
      this.#rows[row] = { vector: embedding.vector, type: model.entityTypes.indexOf(typeOf(key)) };
      return { key, row, updates: 1, firstSeen: embedding.at, lastSeen: embedding.at };
    });
    await store.commit({ head: this.#head, entities, erasedEntities: erased.map(({ key }) => key) });
  }

  #count(key: EntityKey, change: number): void {
    const { entities } = this.#head;
    entities[typeOf(key)] = (entities[typeOf(key)] ?? 0) + change;
  }

  /** Vectors of two models can't stand side by side; vectors that were replaced since do not matter. */
  #refuseForeign(): void {
    const foreign = [...this.#seen].filter(([, seen]) => seen.foreign !== undefined);
    const [first] = foreign;
    if (first === undefined) return;
    const [sample, { foreign: other }] = first;
    throw new FatalError(
      'topic-record',
      `the topic holds vectors of other models than the configured one: ${foreign.length}, such as ${sample} of ${other}; ` +
        `${this.#vectors} are of the configured ${this.#fingerprint}. Put the configuration back that they were ` +
        'published with; where the topic holds several, replay the event topics instead: twhin replay',
    );
  }
}

/** @throws FatalError when the record's key names no possible entity. */
function keyOf(record: SourceRecord): EntityKey {
  const text = record.key?.toString('utf8') ?? '';
  const key = entityKey(text.slice(0, Math.max(text.indexOf(':'), 0)), text.slice(text.indexOf(':') + 1));
  const bytes = Buffer.byteLength(idOf(key));
  if (text !== key || typeOf(key) === '' || bytes === 0 || bytes > MAX_ID_BYTES)
    throw unusable(record, `its key ${JSON.stringify(text.slice(0, 80))} names no entity`);
  return key;
}

function unusable({ topic, partition, offset }: SourceRecord, reason: string, cause?: unknown): FatalError {
  return new FatalError(
    'topic-record',
    `${topic}, partition ${partition}, offset ${offset} is no vector that twhin published: ${reason}; ` +
      'is it the right topic? Nothing was restored',
    { cause },
  );
}
