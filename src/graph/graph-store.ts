import { LogRefusal } from '../errors/errors.ts';
import type { Checkpoint, Checkpoints } from './checkpoint.ts';
import type { EdgeChange, EdgeState } from './edge.ts';
import { type EntityKey, isOfType } from './entity.ts';
import { EntityEntries } from './entity-entries.ts';
import { EntityIndex, type PackedEntities } from './entity-index.ts';
import { decodeHead, encodeHead, type Head, type Positions } from './head.ts';
import { asBuffer, type EntityState, type Layout } from './layout.ts';
import type { Store, StoreMemory } from './store.ts';
import { endsSlice, nextTurn } from './turns.ts';
import { WriteBatch } from './write-batch.ts';

/** An entity without its vector. */
export interface EntityRecord extends EntityState {
  readonly key: EntityKey;
}

/** Everything that one commit writes. */
export interface Commit {
  readonly head: Head;
  /** By `Layout.edgeId`. null: an erasure deletes the edge, and not even its removal is remembered. */
  readonly edges?: Iterable<readonly [id: string, state: EdgeState | null]>;
  /** Of an index whose types are the layout's, with the part that `EntityEntries.next` gave. */
  readonly packed?: PackedEntities;
  /** In place of these, from a caller without an index: entities, and those that are gone before. */
  readonly entities?: readonly EntityRecord[];
  readonly erasedEntities?: Iterable<EntityKey>;
  readonly erasures?: Iterable<{ key: EntityKey; at: number }>;
  /** What the trainer was given since the commit before; the head's number is its key. */
  readonly journal?: Uint8Array;
  /** Commits whose journal is deleted: the head's checkpoint has them. */
  readonly outdated?: Iterable<number>;
}

/** Most operations of a commit whose memory the next one uses, with views of about 40 MB, and most bytes. A larger commit is one of 30,000 events. */
const [MOST_KEPT, KEPT_BYTES] = [131_072, 32 * 2 ** 20];

/**
 * A graph in a store: entities, edges in both directions, journal and head, all moved by one `commit`. Its vectors are in the
 * checkpoint that the head names, as of an earlier commit; the journal has what was trained since.
 */
export class GraphStore {
  readonly layout: Layout;
  readonly checkpoints: Checkpoints;
  /** Raw, for a check or a backup beside the methods here. */
  readonly entries: Store;
  readonly entityEntries: EntityEntries;
  #index: Promise<EntityIndex> | undefined;
  /** That of a commit that is written, for the next. */
  #spare: WriteBatch | undefined;
  /** The commit that the head's checkpoint is of; undefined until it is known. */
  #named: number | undefined;
  /** Checkpoints by commit: the one that is named, and the one before it, which somebody may still read. */
  readonly #open = new Map<number, Promise<Checkpoint>>();

  constructor(store: Store, layout: Layout) {
    this.entries = store;
    this.layout = layout;
    this.entityEntries = new EntityEntries(store, layout);
    this.checkpoints = store.checkpointsOf(layout.dim + 2);
  }

  /** The head; undefined in a fresh store. */
  async head(): Promise<Head | undefined> {
    const [bytes] = await this.entries.getMany([this.layout.headKey()]);
    return bytes && decodeHead(bytes);
  }

  /**
   * Every entity as of the last commit, in an index that is the caller's. Before the first commit of packed entities. tell: told of what
   * is damaged, which is thrown unless it is given.
   */
  async loadIndex(head: Head | undefined, tell?: (what: string) => void): Promise<EntityIndex> {
    const { relations, entityTypes } = this.layout;
    const firstRow = 2 * relations.length;
    const index = new EntityIndex(head?.rows ?? firstRow, entityTypes, {
      firstRow,
      freed: head?.freed ?? [],
    });
    await this.entityEntries.load(index, firstRow, head?.rows ?? 2 ** 31, tell);
    return index;
  }

  /** Every entity as of the last commit, to be read. Memory: some 100 bytes an entity until the store is closed. */
  index(): Promise<EntityIndex> {
    this.#index ??= this.head()
      .then((head) => this.loadIndex(head))
      .catch((error) => {
        this.#index = undefined;
        throw error;
      });
    return this.#index;
  }

  /** An entity as of the last commit, found without the index, which is for many. */
  async entity(key: EntityKey): Promise<EntityRecord | undefined> {
    const state = await this.entityEntries.find(key);
    return state && { key, ...state };
  }

  /** Every entity, or those of one type, ordered by type, then the shorter id first, then by bytes of UTF-8. */
  async *entities(type?: string): AsyncIterable<EntityRecord> {
    const index = await this.index();
    for (const row of index.sorted()) {
      const key = index.keyAt(row);
      if (key !== undefined && (type === undefined || isOfType(key, type)))
        yield { key, ...index.state(row) };
    }
  }

  /** The checkpoint that the head names; undefined before the first. It stays open until the next but one is named. */
  async checkpoint(): Promise<Checkpoint | undefined> {
    const stored = this.#named ?? (await this.head())?.checkpoint ?? 0;
    // A commit may have named another while the head was read.
    this.#named ??= stored;
    const named = this.#named;
    if (named === 0) return undefined;
    const known = this.#open.get(named);
    if (known !== undefined) return known;
    const opened = this.checkpoints.open(named);
    this.#open.set(named, opened);
    opened.catch(() => this.#open.delete(named));
    for (const [commit, older] of [...this.#open].slice(0, -2)) {
      this.#open.delete(commit);
      await closed(older);
    }
    return opened;
  }

  /** Every row of the checkpoint, ascending, each good until the next is asked for. floats: [dim + 2] vector, accumulator, drift. */
  async *rows(): AsyncIterable<{ row: number; floats: Float32Array }> {
    const width = this.layout.dim + 2;
    let row = 0;
    for await (const { floats } of (await this.checkpoint())?.blocks() ?? [])
      for (let at = 0; at < floats.length; at += width)
        yield { row: row++, floats: floats.subarray(at, at + width) };
  }

  /** [dim + 2] floats of each row, in the order of `rows`; undefined where the checkpoint has no such row. */
  async readRows(rows: readonly number[]): Promise<(Float32Array | undefined)[]> {
    const checkpoint = await this.checkpoint();
    return checkpoint?.read(rows) ?? rows.map(() => undefined);
  }

  /** Edges in the order of `ids`, see `Layout.edgeId`. */
  async readEdges(ids: readonly string[]): Promise<(EdgeState | undefined)[]> {
    const values = await this.entries.getMany(ids);
    return values.map((value) => value && this.layout.decodeEdge(value));
  }

  /** Edges with the entity at either end, removed ones included. An edge from the entity to itself comes twice. */
  async *edgesOf(entity: EntityKey): AsyncIterable<EdgeChange & { direction: 'out' | 'in' }> {
    const { edgesOut, edgesIn } = this.layout.prefixes;
    const prefixes = [['out', edgesOut(entity)] as const, ['in', edgesIn(entity)] as const];
    for (const [direction, prefix] of prefixes)
      for await (const { key, value } of this.entries.scan(prefix))
        yield { ...this.layout.edgeOf(key), ...this.layout.decodeEdge(value), direction };
  }

  /** What the trainer was given for each commit after the checkpoint, in order. */
  async *journal(): AsyncIterable<{ commit: number; bytes: Uint8Array }> {
    for await (const { key, value } of this.entries.scan(this.layout.prefixes.journal))
      yield { commit: this.layout.numberOf(key), bytes: value };
  }

  /** Erased entities, by {@link erasedName}, with the time of erasure. */
  async *erasures(): AsyncIterable<{ name: string; at: number }> {
    for await (const { key, value } of this.entries.scan(this.layout.prefixes.erased)) {
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
    const { head, edges = [], erasures = [] } = commit;
    const packed = commit.packed ?? (await this.#pack(commit));
    if (packed !== undefined) await this.entityEntries.open();
    const batch = this.#spare ?? new WriteBatch();
    this.#spare = undefined;
    batch.clear();
    let count = 0;
    for (const [id, state] of edges) {
      layout.putEdge(batch, id, state);
      if (endsSlice(count++)) await nextTurn();
    }
    if (packed !== undefined) this.entityEntries.put(batch, packed);
    for (const { key, at } of erasures) {
      const value = Buffer.allocUnsafe(8);
      value.writeDoubleLE(at);
      batch.put(layout.erasedKey(key), value);
    }
    for (const number of commit.outdated ?? []) batch.delete(layout.journalKey(number));
    if (commit.journal !== undefined) batch.put(layout.journalKey(head.commit), commit.journal);
    batch.put(layout.headKey(), encodeHead(head));
    await this.entries.write(batch);
    if (batch.size <= MOST_KEPT && batch.bytes.length <= KEPT_BYTES) this.#spare = batch;
    this.#named = head.checkpoint;
    if (commit.packed !== undefined) this.#index = undefined;
  }

  /** Has the index as of this commit. */
  async #pack({ entities = [], erasedEntities }: Commit): Promise<PackedEntities | undefined> {
    if (entities.length === 0 && erasedEntities === undefined) return undefined;
    const index = await this.index();
    for (const key of erasedEntities ?? []) index.remove(key);
    for (const entity of entities) index.put(entity.key, entity);
    return index.pack(
      entities.map(({ row }) => row),
      this.entityEntries.next(0, index.nextRow),
    );
  }

  /** Resolves once every commit so far survives a power loss. */
  sync(): Promise<void> {
    return this.entries.sync();
  }

  /** Memory of the store; undefined where the store can't tell, or is closed. */
  async memory(): Promise<StoreMemory | undefined> {
    return this.entries.memory?.();
  }

  async close(): Promise<void> {
    const opened = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(opened.map(closed));
    await this.entries.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Closes a checkpoint, unless it could not be opened: those who asked for it were told. */
async function closed(opened: Promise<Checkpoint>): Promise<void> {
  await (await opened.catch(() => undefined))?.[Symbol.asyncDispose]();
}

/** Has a store's topic read from its start, as if it were another topic, whatever was refused before. What was learned stays. */
export async function forgetTopic(store: GraphStore, topic: string): Promise<void> {
  const head = await store.head();
  if (head === undefined) return;
  const { [topic]: _positions, ...positions } = head.positions;
  const { [topic]: _id, ...topicIds } = head.topicIds;
  const { [topic]: _why, ...refused } = head.refused ?? {};
  await store.commit({ head: { ...head, positions, topicIds, refused } });
}

/** Has every further start refuse a topic for the same reason, until somebody says how to go on. */
export async function noteRefusal(store: GraphStore, { topic, code, message }: LogRefusal): Promise<void> {
  const head = await store.head();
  if (head === undefined) return;
  await store.commit({ head: { ...head, refused: { ...head.refused, [topic]: { code, message } } } });
}

/** @throws LogRefusal that was noted of one of the topics. */
export async function refuseNoted(store: GraphStore, topics: readonly string[]): Promise<void> {
  const { refused = {} } = (await store.head()) ?? {};
  for (const topic of topics) {
    const noted = refused[topic];
    if (noted !== undefined) throw new LogRefusal(noted.code, topic, noted.message);
  }
}

/** Has a store's topic read on from the positions that `agreed` gives, whatever was refused before. Learned edges stay. Gives both positions. */
export async function goOnWith(
  store: GraphStore,
  topic: string,
  agreed: (positions: Positions) => Promise<Positions>,
): Promise<{ before: Positions; now: Positions }> {
  const head = await store.head();
  if (head === undefined) return { before: {}, now: {} };
  const known = head.positions[topic] ?? {};
  const before = { [topic]: known };
  const now = await agreed(before);
  const { [topic]: _why, ...refused } = head.refused ?? {};
  const positions = { ...head.positions, [topic]: { ...known, ...now[topic] } };
  await store.commit({ head: { ...head, positions, refused } });
  return { before, now };
}
