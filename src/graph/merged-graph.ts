import { judge } from './edge.ts';
import type { EntityKey } from './entity.ts';
import type { EntityIndex } from './entity-index.ts';
import type { GraphStore } from './graph-store.ts';
import { asBuffer, type EntityState, type Layout } from './layout.ts';
import { shardOf } from './shard.ts';
import type { Entry } from './store.ts';

/** Entries handed over at a time. */
const BLOCK = 1_024;
const NOTHING = new Uint8Array(0);

/** A key, and what the stores hold under it. */
interface MergedEntry {
  readonly key: Uint8Array;
  /** In the order of the stores; at least one. store: its index. */
  readonly held: readonly { readonly store: number; readonly value: Uint8Array }[];
}

/** An entity as all stores together know of it. key: a byte, then its name. */
export interface MergedEntity extends Pick<MergedEntry, 'key'> {
  readonly name: EntityKey;
  /** Index of the store that owns the entity. */
  readonly owner: number;
  /** What the owner keeps of it; undefined where the owner does not have it, or has to erase it. */
  readonly own: EntityState | undefined;
  /** Whether another store has read an erasure that the owner has not. */
  readonly erased: boolean;
}

/** An edge in its newest state. */
export interface MergedEdge extends MergedEntry {
  /** The stored value of the newest state. */
  readonly value: Uint8Array;
  /** Whether one of its ends was erased since, which the store that holds the edge had not read: there is no such edge. */
  readonly erased: boolean;
}

interface UnevenErasure {
  readonly at: number;
  /** The stores that have it. */
  readonly stores: ReadonlySet<number>;
}

/**
 * The stores of all shards of a graph, or of a whole one, read as one graph. Shards stop at different offsets: of an edge that two stores
 * have in different states the newest counts, and an erasure that one store has read counts for all of them.
 * Memory: the stores' indexes of entities, and the erasures that not all stores have read.
 */
export class MergedGraph {
  readonly stores: readonly GraphStore[];
  readonly layout: Layout;
  /** By the stores' name of the erased entity. */
  readonly #uneven: ReadonlyMap<string, UnevenErasure>;

  private constructor(stores: readonly GraphStore[], uneven: ReadonlyMap<string, UnevenErasure>) {
    this.stores = stores;
    this.layout = stores[0]!.layout;
    this.#uneven = uneven;
  }

  /** stores: in the order of the shards. */
  static async read(stores: readonly GraphStore[]): Promise<MergedGraph> {
    const { layout } = stores[0]!;
    const uneven = new Map<string, UnevenErasure>();
    for await (const block of mergedEntries(scans(stores, layout.prefixes.erased))) {
      for (const { key, held } of block) {
        const at = newestErasure(held);
        const having = held.filter(({ value }) => asBuffer(value).readDoubleLE(0) === at);
        if (having.length === stores.length) continue;
        uneven.set(asBuffer(key).toString('latin1'), {
          at,
          stores: new Set(having.map(({ store }) => store)),
        });
      }
    }
    return new MergedGraph(stores, uneven);
  }

  /** Every entity that any store has, by type, then the shorter id first, then by bytes of UTF-8. */
  async *entities(): AsyncIterable<readonly MergedEntity[]> {
    const { layout, stores } = this;
    const indexes = await Promise.all(stores.map((store) => store.index()));
    for await (const block of mergedEntries(indexes.map(namesOf))) {
      yield block.map(({ key }) => {
        const name = layout.entityOf(key);
        const owner = shardOf(name, stores.length);
        const erased = this.#erasureOf(name)?.stores.has(owner) === false;
        return { key, name, owner, own: erased ? undefined : indexes[owner]!.stateBy(name), erased };
      });
    }
  }

  /** Every edge, removed and erased ones included, ordered by lhs, relation, rhs. */
  async *edges(): AsyncIterable<readonly MergedEdge[]> {
    for await (const block of mergedEntries(scans(this.stores, this.layout.prefixes.edges))) {
      yield block.map(({ key, held }) => {
        const value = this.#newest(held);
        return { key, held, value, erased: this.#uneven.size > 0 && this.#isErased(key, value) };
      });
    }
  }

  /** Whether the owner of an end has read a live edge as it is now, and so must have the end, unless it has to erase it. */
  ownerHas({ held, value }: MergedEdge, end: EntityKey): boolean {
    const owner = shardOf(end, this.stores.length);
    if (this.#erasureOf(end)?.stores.has(owner) === false) return false;
    return held.some((each) => each.store === owner && Buffer.compare(each.value, value) === 0);
  }

  /** [dim + 2] the row of each entity in its owner's checkpoint; undefined where there is none. */
  async rowsOf(entities: readonly MergedEntity[]): Promise<(Float32Array | undefined)[]> {
    const rows: (Float32Array | undefined)[] = entities.map(() => undefined);
    await Promise.all(
      this.stores.map(async (of, store) => {
        const places = entities.flatMap(({ owner, own }, i) => (own && owner === store ? [i] : []));
        (await of.readRows(places.map((i) => entities[i]!.own!.row))).forEach((row, i) => {
          rows[places[i]!] = row;
        });
      }),
    );
    return rows;
  }

  /** Every erasure with its newest time, as the entries of a store. */
  async *erasures(): AsyncIterable<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    for await (const block of mergedEntries(scans(this.stores, this.layout.prefixes.erased))) {
      for (const { key, held } of block) {
        const value = Buffer.alloc(8);
        value.writeDoubleLE(newestErasure(held));
        yield { key, value };
      }
    }
  }

  #newest(held: MergedEntry['held']): Uint8Array {
    let newest = held[0]!.value;
    for (let i = 1; i < held.length; i++) {
      const { value } = held[i]!;
      if (Buffer.compare(newest, value) === 0) continue;
      if (judge(this.layout.decodeEdge(newest), this.layout.decodeEdge(value)) === 'newer') newest = value;
    }
    return newest;
  }

  #isErased(key: Uint8Array, value: Uint8Array): boolean {
    const { lhs, rhs } = this.layout.edgeOf(key);
    const { at } = this.layout.decodeEdge(value);
    return [lhs, rhs].some((end) => at <= (this.#erasureOf(end)?.at ?? Number.NEGATIVE_INFINITY));
  }

  #erasureOf(name: EntityKey): UnevenErasure | undefined {
    if (this.#uneven.size === 0) return undefined;
    return this.#uneven.get(this.layout.erasedKey(name).toString('latin1'));
  }
}

function newestErasure(held: MergedEntry['held']): number {
  return Math.max(...held.map(({ value }) => asBuffer(value).readDoubleLE(0)));
}

/** The rows of the relations as a store has them. Shards merge theirs every few seconds, so those of one count for all. */
export async function relationRows(store: GraphStore): Promise<(Float32Array | undefined)[]> {
  return store.readRows(Array.from({ length: 2 * store.layout.relations.length }, (_, row) => row));
}

function scans(stores: readonly GraphStore[], prefix: Uint8Array): AsyncIterable<Entry>[] {
  return stores.map(({ entries }) => entries.scan(prefix));
}

/** Every name in an index after a byte, in order, with nothing under it. */
async function* namesOf(index: EntityIndex): AsyncIterable<Entry> {
  for (const row of index.sorted())
    yield { key: Buffer.concat([Buffer.alloc(1), index.names.nameAt(row)!]), value: NOTHING };
}

/** What several stores hold, ascending, each key once. scans: what each holds, ascending. */
async function* mergedEntries(scans: readonly AsyncIterable<Entry>[]): AsyncIterable<readonly MergedEntry[]> {
  const cursors = scans.map((scan) => scan[Symbol.asyncIterator]());
  const next = async (store: number): Promise<Entry | undefined> => {
    const { done, value } = await cursors[store]!.next();
    return done === true ? undefined : value;
  };
  try {
    const heads = await Promise.all(scans.map((_, store) => next(store)));
    let block: MergedEntry[] = [];
    for (let least = leastOf(heads); least !== undefined; least = leastOf(heads)) {
      const held: { store: number; value: Uint8Array }[] = [];
      for (const [store, head] of heads.entries()) {
        if (head === undefined || Buffer.compare(head.key, least.key) !== 0) continue;
        held.push({ store, value: head.value });
        heads[store] = await next(store);
      }
      block.push({ key: least.key, held });
      if (block.length < BLOCK) continue;
      yield block;
      block = [];
    }
    if (block.length > 0) yield block;
  } finally {
    for (const cursor of cursors) await cursor.return?.();
  }
}

function leastOf(heads: readonly (Entry | undefined)[]): Entry | undefined {
  let least: Entry | undefined;
  for (const head of heads)
    if (head !== undefined && (least === undefined || Buffer.compare(head.key, least.key) < 0)) least = head;
  return least;
}
