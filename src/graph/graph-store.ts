import type { EdgeChange, EdgeState } from './edge.ts';
import type { EntityKey } from './entity.ts';
import { decodeHead, encodeHead, type Head } from './head.ts';
import { asBuffer, decodeEntity, type EntityState, type Layout } from './layout.ts';
import { namesIn, type OutboxPart, putPart } from './outbox.ts';
import { type Store, type StoreMemory, WriteBatch } from './store.ts';

/** An entity without its vector. */
export interface EntityRecord extends EntityState {
  readonly key: EntityKey;
}

/** A stored row: [dim + 2] vector, accumulator and drift, and the step of the commit that wrote them. */
export interface StoredRow {
  readonly row: number;
  readonly floats: Float32Array;
  readonly step: number;
}

/** A vector as it is published (little-endian float32), and the step of the commit that wrote it. */
export interface StoredVector {
  readonly bytes: Uint8Array;
  readonly step: number;
}

/** Everything that one commit writes. */
export interface Commit {
  readonly head: Head;
  /** By `Layout.edgeId`. null: an erasure deletes the edge, and not even its removal is remembered. */
  readonly edges?: Iterable<readonly [id: string, state: EdgeState | null]>;
  readonly entities?: Iterable<EntityRecord>;
  readonly erasedEntities?: Iterable<{ key: EntityKey; row: number }>;
  readonly erasures?: Iterable<{ key: EntityKey; at: number }>;
  /** [n] rows and their floats, [n, dim + 2]. */
  readonly rows?: Int32Array;
  readonly floats?: Float32Array;
  /** [n] the step of each row; the head's step unless given. */
  readonly steps?: Float64Array;
  readonly outboxAdded?: Iterable<OutboxPart>;
  readonly outboxCleared?: Iterable<OutboxPart>;
}

const READ_ROWS = 1024;
/** Entries of a commit handled before the event loop gets its turn. */
const SLICE = 2048;
/** The same for parts of the outbox, which hold a thousand names each. */
export const SLICE_PARTS = 2;

/** A graph in a store: entities, edges in both directions, vectors, outbox and head, all moved by one `commit`. */
export class GraphStore {
  readonly layout: Layout;
  readonly #store: Store;

  constructor(store: Store, layout: Layout) {
    this.#store = store;
    this.layout = layout;
  }

  /** The raw entries, for a check or a backup. */
  get entries(): Store {
    return this.#store;
  }

  /** The head; undefined in a fresh store. */
  async head(): Promise<Head | undefined> {
    const bytes = await this.headBytes();
    return bytes && decodeHead(bytes);
  }

  /** The head's stored bytes, different after every commit. */
  async headBytes(): Promise<Uint8Array | undefined> {
    return (await this.#store.getMany([this.layout.headKey()]))[0];
  }

  async entity(key: EntityKey): Promise<EntityRecord | undefined> {
    return (await this.readEntities([key]))[0];
  }

  /** Entities in the order of `keys`; undefined where none is stored. */
  async readEntities(keys: readonly EntityKey[]): Promise<(EntityRecord | undefined)[]> {
    const values = await this.#store.getMany(keys.map((key) => this.layout.entityKey(key)));
    return keys.map((key, i) => values[i] && { key, ...decodeEntity(values[i]) });
  }

  /** Every entity, or those of one type, ordered by type, then the shorter id first, then by bytes of UTF-8. */
  async *entities(type?: string): AsyncIterable<EntityRecord> {
    const { entities, entitiesOf } = this.layout.prefixes;
    for await (const { key, value } of this.#store.scan(type === undefined ? entities : entitiesOf(type)))
      yield { key: this.layout.entityOf(key), ...decodeEntity(value) };
  }

  /** Every stored row, ascending. */
  async *rows(): AsyncIterable<StoredRow> {
    for await (const { key, value } of this.#store.scan(this.layout.prefixes.vectors)) {
      yield this.#storedRow(this.layout.rowOf(key), value);
    }
  }

  /** Rows in the order of `rows`; undefined where none is stored. */
  async readRows(rows: readonly number[]): Promise<(StoredRow | undefined)[]> {
    const values = await this.#store.getMany(rows.map((row) => this.layout.vectorKey(row)));
    return values.map((value, i) => value && this.#storedRow(rows[i] ?? 0, value));
  }

  /** Vectors by row. Rows that are not stored are left out. */
  async readVectors(rows: readonly number[]): Promise<Map<number, StoredVector>> {
    const vectors = new Map<number, StoredVector>();
    const values = await this.#store.getMany(rows.map((row) => this.layout.vectorKey(row)));
    values.forEach((value, i) => {
      if (value !== undefined) vectors.set(rows[i]!, this.#storedVector(value));
    });
    return vectors;
  }

  /** Every edge, removed ones included, ordered by lhs, relation, rhs; or the edges whose lhs is of one type. */
  async *edges(lhsType?: string): AsyncIterable<EdgeChange> {
    const { edges, edgesFrom } = this.layout.prefixes;
    for await (const { key, value } of this.#store.scan(lhsType === undefined ? edges : edgesFrom(lhsType))) {
      yield { ...this.layout.edgeOf(key), ...this.layout.decodeEdge(value) };
    }
  }

  /** Edges in the order of `ids`, see `Layout.edgeId`. */
  async readEdges(ids: readonly string[]): Promise<(EdgeState | undefined)[]> {
    const values = await this.#store.getMany(ids);
    return values.map((value) => value && this.layout.decodeEdge(value));
  }

  /** Edges with the entity at either end, removed ones included. An edge from the entity to itself comes twice. */
  async *edgesOf(entity: EntityKey): AsyncIterable<EdgeChange & { direction: 'out' | 'in' }> {
    const { edgesOut, edgesIn } = this.layout.prefixes;
    for (const [direction, prefix] of [
      ['out', edgesOut(entity)] as const,
      ['in', edgesIn(entity)] as const,
    ]) {
      for await (const { key, value } of this.#store.scan(prefix)) {
        yield { ...this.layout.edgeOf(key), ...this.layout.decodeEdge(value), direction };
      }
    }
  }

  /** Parts that wait to be published, oldest first. A part can hold names already acknowledged: see outbox.ts. */
  async *outboxParts(): AsyncIterable<OutboxPart> {
    for await (const { key, value } of this.#store.scan(this.layout.prefixes.outbox))
      yield { number: this.layout.outboxNumberOf(key), names: this.layout.decodeNames(value) };
  }

  /** Names that wait to be published, each once. */
  async *outbox(): AsyncIterable<EntityKey> {
    yield* namesIn(await Array.fromAsync(this.outboxParts()));
  }

  /** Erased entities, by {@link erasedName}, with the time of erasure. */
  async *erasures(): AsyncIterable<{ name: string; at: number }> {
    for await (const { key, value } of this.#store.scan(this.layout.prefixes.erased)) {
      yield { name: asBuffer(key).toString('latin1'), at: asBuffer(value).readDoubleLE(0) };
    }
  }

  /** The name under which an erasure is remembered: a hash, so that the id itself is deleted. */
  erasedName(entity: EntityKey): string {
    return this.layout.erasedKey(entity).toString('latin1');
  }

  /** Writes everything or nothing. The caller waits for one commit before the next. */
  async commit(commit: Commit): Promise<void> {
    const { layout } = this;
    const { head, edges = [], entities = [], erasedEntities = [], erasures = [] } = commit;
    const { rows = new Int32Array(0), floats = new Float32Array(0), steps = head.step } = commit;
    const batch = new WriteBatch();
    await inSlices(edges, ([id, state]) => layout.putEdge(batch, id, state));
    // An entity erased and named again in one commit has a new row: the old entry is deleted before the new one is put.
    for (const { key } of erasedEntities) batch.delete(layout.entityKey(key));
    await inSlices(entities, (entity) => layout.putEntity(batch, entity.key, entity));
    const erased = new Set(Array.from(erasedEntities, ({ row }) => row));
    batch.rows = { dim: layout.dim, rows, floats, steps, erased };
    for (const row of erased) batch.delete(layout.vectorKey(row));
    for (const { key, at } of erasures) batch.put(layout.erasedKey(key), float64(at));
    await inSlices(
      commit.outboxCleared ?? [],
      ({ number }) => batch.delete(layout.outboxPartKey(number)),
      SLICE_PARTS,
    );
    await inSlices(commit.outboxAdded ?? [], (part) => putPart(batch, layout, part), SLICE_PARTS);
    batch.put(layout.headKey(), encodeHead(head));
    await this.#store.write(batch);
  }

  /** Memory of the store; undefined where the store can't tell, or is closed. */
  async memory(): Promise<StoreMemory | undefined> {
    return this.#store.memory?.();
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #storedVector(value: Uint8Array): StoredVector {
    const step = asBuffer(value).readDoubleLE(value.length - 8);
    return { bytes: value.subarray(0, this.layout.dim * 4), step };
  }

  #storedRow(row: number, value: Uint8Array): StoredRow {
    const floats = new Float32Array(this.layout.dim + 2);
    new Uint8Array(floats.buffer).set(value.subarray(0, floats.byteLength));
    return { row, floats, step: asBuffer(value).readDoubleLE(floats.byteLength) };
  }
}

/** Calls `work` for each item, and lets the event loop run after every `size` items. */
export async function inSlices<T>(items: Iterable<T>, work: (item: T) => void, size = SLICE): Promise<void> {
  let done = 0;
  for (const item of items) {
    work(item);
    if (++done % size === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Gathers an iteration into arrays of `size`, for batched reads and messages. */
export async function* inBatches<T>(items: AsyncIterable<T>, size = READ_ROWS): AsyncIterable<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function float64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** Deletes a topic's offsets and identity from a store, so that the topic is read from its start. What was learned stays. */
export async function forgetTopic(store: GraphStore, topic: string): Promise<void> {
  const head = await store.head();
  if (head === undefined) return;
  const { [topic]: _offsets, ...offsets } = head.offsets;
  const { [topic]: _id, ...topicIds } = head.topicIds;
  await store.commit({ head: { ...head, offsets, topicIds } });
}
