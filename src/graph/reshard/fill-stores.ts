import { Tally } from '../census.ts';
import { CheckpointWriter } from '../checkpoint-writer.ts';
import { type EntityKey, typeOf } from '../entity.ts';
import { EntityIndex } from '../entity-index.ts';
import type { GraphStore } from '../graph-store.ts';
import { decodeHead, encodeHead, freshShard, type Head } from '../head.ts';
import type { EntityState } from '../layout.ts';
import { MergedGraph, relationRows } from '../merged-graph.ts';
import { copyAccumulator, shardOf } from '../shard.ts';
import type { Entry } from '../store.ts';
import { WriteBatch } from '../write-batch.ts';
import { EntitySpread } from './entity-spread.ts';
import { type NextHead, type NextShards, nextHead } from './next-head.ts';

/** Puts in one batch. */
const BATCH = 4_096;

export interface Filled {
  readonly heads: readonly Head[];
  /** By type: entities that their owners had not read yet and that edges of other stores name; their vectors start from scratch. */
  readonly added: Readonly<Record<string, number>>;
  /** Entities that were erased, which their owners had not read yet: they are to be published, as they are or as tombstones. */
  readonly erased: readonly EntityKey[];
}

/**
 * Fills empty stores, one for each new shard, with what the present stores of the graph hold: each entity at its new owner, each edge
 * at both, copies of entities where edges with them are trained, the erasures in all. A store's head is written last.
 * Memory: see {@link EntitySpread}; for each new store some 100 bytes an entity, and two blocks of rows.
 * present: of the graph's shards in their order, or of the whole graph. heads: theirs. @throws FatalError where they are not of one
 * training, or are damaged.
 */
export async function fillStores(
  present: readonly GraphStore[],
  heads: readonly Head[],
  stores: readonly GraphStore[],
  next: NextShards,
  onProgress: (what: 'edges' | 'entities', done: number) => void = () => {},
): Promise<Filled> {
  const graph = await MergedGraph.read(present);
  const { layout } = graph;
  const spread = new EntitySpread(layout, stores.length);
  await using opened = new AsyncDisposableStack();
  const filling = stores.map((store, index) =>
    opened.use(new FilledStore(store, nextHead(heads, next, index))),
  );
  const ownerOf = (name: EntityKey) => shardOf(name, stores.length);
  for await (const block of graph.entities()) for (const { key, own } of block) if (own) spread.add(key);

  let edges = 0;
  for await (const block of graph.edges()) {
    for (const merged of block) {
      const { key, value, erased } = merged;
      if (erased) continue;
      const edge = layout.edgeOf(key);
      const { at, removed } = layout.decodeEdge(value);
      if (!removed) spread.link(key, edge, at, (end) => graph.ownerHas(merged, end));
      const reverse = layout.turned(key);
      const relation = removed ? undefined : edge.relation;
      const [lhs, rhs] = [ownerOf(edge.lhs), ownerOf(edge.rhs)];
      filling[lhs]!.putEdge(key, reverse, value, relation, true);
      if (rhs !== lhs) filling[rhs]!.putEdge(key, reverse, value, relation, false);
    }
    for (const store of filling) await store.flushFull();
    edges += block.length;
    onProgress('edges', edges);
  }

  const relations = await relationRows(present[0]!);
  for (const store of filling) for (const row of relations) await store.rows.add(row);
  const put = async (entity: number, name: EntityKey, state: EntityState, row: Float32Array | undefined) => {
    const owner = ownerOf(name);
    await filling[owner]!.putOwn(name, state, row);
    for (const holder of spread.holdersOf(entity)) await filling[holder]!.putCopy(name, state, row, owner);
  };
  let [entity, entities] = [0, 0];
  const gone: EntityKey[] = [];
  for await (const block of graph.entities()) {
    const rows = await graph.rowsOf(block);
    for (const [i, { name, own, erased }] of block.entries()) {
      if (erased) gone.push(name);
      if (own !== undefined) await put(entity++, name, own, rows[i]);
    }
    entities += block.length;
    onProgress('entities', entities);
  }
  const added = new Tally();
  for (const [unread, { name, ...seen }] of spread.unread) {
    added.add(typeOf(name));
    await put(unread, name, { row: 0, updates: 0, ...seen }, undefined);
  }

  for await (const erasure of graph.erasures()) for (const store of filling) await store.put(erasure);
  return {
    added: added.counts,
    erased: gone,
    heads: await Promise.all(filling.map((store, index) => store.finish(next, index))),
  };
}

/** A new store while it is filled. */
class FilledStore implements AsyncDisposable {
  /** The rows of the relations come first. */
  readonly rows: CheckpointWriter;
  readonly #store: GraphStore;
  readonly #head: NextHead;
  readonly #own = { edges: new Tally(), entities: new Tally() };
  readonly #all = { edges: new Tally(), entities: new Tally() };
  readonly #index: EntityIndex;
  /** Rows of entities that are not yet in a batch. */
  readonly #touched: number[] = [];
  #batch = new WriteBatch();

  constructor(store: GraphStore, head: NextHead) {
    const { commit, step, random } = head;
    this.#store = store;
    this.#head = head;
    this.#index = new EntityIndex(0, store.layout.entityTypes);
    this.rows = new CheckpointWriter(store.checkpoints, { commit, step, random }, store.layout.dim + 2);
  }

  /** relation: of a live edge. own: whether the shard owns the edge's lhs. */
  putEdge(
    key: Uint8Array,
    reverse: Uint8Array,
    value: Uint8Array,
    relation: string | undefined,
    own: boolean,
  ): void {
    this.#batch.put(key, value);
    this.#batch.put(reverse, value);
    if (relation === undefined) return;
    this.#all.edges.add(relation);
    if (own) this.#own.edges.add(relation);
  }

  /** row: at the present owner, written as it is; undefined where it has no vector yet. */
  async putOwn(name: EntityKey, state: EntityState, row: Float32Array | undefined): Promise<void> {
    const type = typeOf(name);
    this.#own.entities.add(type);
    await this.#putEntity(name, state);
    await this.rows.add(row, this.#store.layout.typeIndex(type), state.updates > 0);
  }

  /** row: at the present owner; undefined where it has no vector yet, and the copy waits for one. owner: the new one. */
  async putCopy(
    name: EntityKey,
    state: EntityState,
    row: Float32Array | undefined,
    owner: number,
  ): Promise<void> {
    const { dim } = this.#store.layout;
    const copy = new Float32Array(dim + 2);
    copy.set(row?.subarray(0, dim) ?? []);
    copy[dim] = copyAccumulator(owner);
    await this.#putEntity(name, state);
    await this.rows.add(copy);
  }

  async put({ key, value }: Entry): Promise<void> {
    this.#batch.put(key, value);
    await this.flushFull();
  }

  async flushFull(): Promise<void> {
    if (this.#batch.size + this.#touched.length >= BATCH) await this.#flush();
  }

  /** Writes the head, when all else is written. */
  async finish(next: NextShards, index: number): Promise<Head> {
    const { layout } = this.#store;
    await this.#flush();
    await this.rows.end();
    const { shard } = next.graphs[index]!;
    const head: Head = {
      ...this.#head,
      rows: this.rows.rows,
      edges: this.#all.edges.counts,
      entities: this.#all.entities.counts,
      ...(shard && {
        shard: freshShard(shard, next.runs[index]!, {
          edges: this.#own.edges.counts,
          entities: this.#own.entities.counts,
        }),
      }),
    };
    const bytes = encodeHead(head);
    this.#batch.put(layout.headKey(), bytes);
    await this.#flush();
    return decodeHead(bytes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.rows[Symbol.asyncDispose]();
  }

  /** On the row that is added next. */
  async #putEntity(name: EntityKey, state: EntityState): Promise<void> {
    this.#index.put(name, { ...state, row: this.rows.rows });
    this.#touched.push(this.rows.rows);
    this.#all.entities.add(typeOf(name));
    await this.flushFull();
  }

  async #flush(): Promise<void> {
    const full = this.#batch;
    this.#batch = new WriteBatch();
    const { entityEntries, entries } = this.#store;
    await entityEntries.open();
    const part = entityEntries.next(0, this.rows.rows);
    entityEntries.put(full, this.#index.pack(this.#touched.splice(0), part));
    await entries.write(full);
  }
}
