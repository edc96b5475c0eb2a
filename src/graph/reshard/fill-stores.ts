import { Tally } from '../census.ts';
import { type EntityKey, typeOf } from '../entity.ts';
import type { GraphStore } from '../graph-store.ts';
import { decodeHead, encodeHead, freshShard, type Head } from '../head.ts';
import type { EntityState, Layout } from '../layout.ts';
import { MergedGraph, relationRows } from '../merged-graph.ts';
import { inParts, namesIn, putPart } from '../outbox.ts';
import { COPY_ACCUMULATOR, shardOf } from '../shard.ts';
import { type Entry, WriteBatch } from '../store.ts';
import { EntitySpread } from './entity-spread.ts';
import { type NextShards, nextHead } from './next-head.ts';

/** Puts in one batch. */
const BATCH = 4_096;
const FLOAT_BYTES = 4;

export interface Filled {
  readonly heads: readonly Head[];
  /** By type: entities that their owners had not read yet and that edges of other stores name; their vectors start from scratch. */
  readonly added: Readonly<Record<string, number>>;
}

/**
 * Fills empty stores, one for each new shard, with what the present stores of the graph hold: each entity at its new owner, each edge
 * at both, copies of entities where edges with them are trained, the erasures in all. A store's head is written last.
 * Memory: see {@link EntitySpread}; the outbox.
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
  const filling = stores.map((store, index) => new FilledStore(store, nextHead(heads, next, index)));
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

  const put = (entity: number, name: EntityKey, state: EntityState, stored: Uint8Array | undefined) => {
    filling[ownerOf(name)]!.putOwn(name, state, stored);
    for (const holder of spread.holdersOf(entity)) filling[holder]!.putCopy(name, state, stored);
  };
  let [entity, entities] = [0, 0];
  for await (const block of graph.entities()) {
    const rows = await graph.rowsOf(block);
    for (const [i, { name, own, erased }] of block.entries()) {
      if (erased) filling[ownerOf(name)]!.due.add(name);
      if (own !== undefined) put(entity++, name, own, rows[i]);
    }
    for (const store of filling) await store.flushFull();
    entities += block.length;
    onProgress('entities', entities);
  }
  const added = new Tally();
  for (const [unread, { name, ...seen }] of spread.unread) {
    added.add(typeOf(name));
    put(unread, name, { row: 0, updates: 0, ...seen }, undefined);
    for (const store of filling) await store.flushFull();
  }

  const relations = await relationRows(present[0]!);
  for (const store of filling) for (const relation of relations) await store.put(relation);
  for await (const erasure of graph.erasures()) for (const store of filling) await store.put(erasure);
  for (const store of present)
    for (const name of namesIn(await Array.fromAsync(store.outboxParts())))
      filling[ownerOf(name)]!.due.add(name);
  return {
    added: added.counts,
    heads: await Promise.all(filling.map((store, index) => store.finish(next, index))),
  };
}

/** The stored row of a copy of an entity. stored: the entity's row at its owner. */
function copyOf(stored: Uint8Array, { dim }: Layout): Buffer {
  const value = Buffer.from(stored);
  value.writeFloatLE(COPY_ACCUMULATOR, dim * FLOAT_BYTES);
  value.writeFloatLE(0, (dim + 1) * FLOAT_BYTES);
  return value;
}

/** A new store while it is filled. */
class FilledStore {
  /** Names whose vector or tombstone is to be published. */
  readonly due = new Set<EntityKey>();
  readonly #store: GraphStore;
  readonly #head: ReturnType<typeof nextHead>;
  readonly #own = { edges: new Tally(), entities: new Tally() };
  readonly #all = { edges: new Tally(), entities: new Tally() };
  #batch = new WriteBatch();
  #rows: number;

  constructor(store: GraphStore, head: ReturnType<typeof nextHead>) {
    this.#store = store;
    this.#rows = 2 * store.layout.relations.length;
    this.#head = head;
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

  /** stored: the row at the present owner, which is written as it is. */
  putOwn(name: EntityKey, state: EntityState, stored: Uint8Array | undefined): void {
    const row = this.#putEntity(name, state);
    this.#own.entities.add(typeOf(name));
    if (stored !== undefined) this.#batch.put(this.#store.layout.vectorKey(row), stored);
  }

  /** stored: the row at the present owner; undefined where it has no vector yet, and the copy waits for one. */
  putCopy(name: EntityKey, state: EntityState, stored: Uint8Array | undefined): void {
    const { layout } = this.#store;
    const row = this.#putEntity(name, state);
    this.#batch.put(layout.vectorKey(row), copyOf(stored ?? Buffer.alloc(layout.vectorBytes), layout));
  }

  async put({ key, value }: Entry): Promise<void> {
    this.#batch.put(key, value);
    await this.flushFull();
  }

  async flushFull(): Promise<void> {
    if (this.#batch.size >= BATCH) await this.#flush();
  }

  /** Writes the outbox and, when all else is written, the head. */
  async finish(next: NextShards, index: number): Promise<Head> {
    const { layout } = this.#store;
    const parts = [...inParts([...this.due])].map((names, i) => ({ number: i + 1, names }));
    for (const part of parts) putPart(this.#batch, layout, part);
    await this.#flush();
    const { shard } = next.graphs[index]!;
    const head: Head = {
      ...this.#head,
      rows: this.#rows,
      edges: this.#all.edges.counts,
      entities: this.#all.entities.counts,
      outbox: this.due.size,
      outboxParts: parts.length,
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

  #putEntity(name: EntityKey, state: EntityState): number {
    const row = this.#rows++;
    this.#store.layout.putEntity(this.#batch, name, { ...state, row });
    this.#all.entities.add(typeOf(name));
    return row;
  }

  async #flush(): Promise<void> {
    const full = this.#batch;
    this.#batch = new WriteBatch();
    await this.#store.entries.write(full);
  }
}
