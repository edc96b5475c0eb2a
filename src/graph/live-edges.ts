import { FatalError } from '../errors/errors.ts';
import type { EdgeName, EdgeRows } from './edge.ts';
import type { GraphStore } from './graph-store.ts';
import type { Layout } from './layout.ts';
import type { NameIndex } from './name-index.ts';
import { type Shard, shardOf, trainingShard } from './shard.ts';

/** Live edges, `size` of each kind at most. */
export interface LiveEdges extends EdgeRows {
  /** In a shard: further edges, which it does not train now. */
  readonly apart?: EdgesApart;
}

/** Edges that a shard has and does not train now: another shard trains them, or their far end has no row here. */
export interface EdgesApart {
  readonly relation: Uint8Array;
  /** Of those that another shard trains: the row of the own end, and that shard. */
  readonly rows: Int32Array;
  readonly shards: Uint8Array;
  /** The number of the others. */
  readonly forgotten: number;
}

/** A shard, and what is known of the rows of its store. */
export interface ShardRows extends Shard {
  /** By row: the shard that the row's entity belongs to. */
  readonly homes: Uint8Array;
}

/**
 * Every live edge as rows, `size` at a time, in the order of the store. A starting process reads millions of edges, so
 * no object is made per edge, and a string for those alone whose far end has no row.
 * rows: the row of every entity by name. shard: whose store it is, where the graph is cut.
 * @throws FatalError naming an end that the store does not have.
 */
export async function* liveEdgeRows(
  { layout, entries }: GraphStore,
  rows: NameIndex,
  size: number,
  shard?: ShardRows,
): AsyncIterable<LiveEdges> {
  const apart = shard && new OpenApart(shard, layout);
  let block = emptyBlock(size);
  let count = 0;
  let before: Uint8Array = new Uint8Array(0);
  let lhs = 0;
  for await (const run of entries.runs(layout.prefixes.edges)) {
    for (const { key, value } of run) {
      if (layout.isRemoved(value)) continue;
      const relation = layout.relationIn(key);
      const end = layout.firstEnd(key);
      // Edges out of one entity are neighbours: one lookup serves all of them.
      if (!startsAlike(key, before, end)) lhs = rows.find(key, 1, end);
      before = key;
      const rhs = rows.find(key, end + 1, key.length);
      if (apart?.take(key, lhs, relation, rhs)) {
        if (apart.size < size) continue;
        yield {
          lhs: new Int32Array(0),
          relation: block.relation.subarray(0, 0),
          rhs: new Int32Array(0),
          apart: apart.close(),
        };
        continue;
      }
      if (lhs < 0 || rhs < 0) throw endMissing(layout.edgeOf(key), lhs < 0 ? 'lhs' : 'rhs');
      block.lhs[count] = lhs;
      block.relation[count] = relation;
      block.rhs[count] = rhs;
      if (++count < size) continue;
      yield block;
      block = emptyBlock(size);
      count = 0;
    }
  }
  if (count > 0 || (apart && apart.size > 0)) {
    yield {
      lhs: block.lhs.subarray(0, count),
      relation: block.relation.subarray(0, count),
      rhs: block.rhs.subarray(0, count),
      ...(apart && { apart: apart.close() }),
    };
  }
}

/** Edges apart while they are gathered. */
class OpenApart {
  readonly #shard: ShardRows;
  readonly #layout: Layout;
  #relation: number[] = [];
  #rows: number[] = [];
  #shards: number[] = [];

  constructor(shard: ShardRows, layout: Layout) {
    this.#shard = shard;
    this.#layout = layout;
  }

  get size(): number {
    return this.#relation.length;
  }

  /** Takes an edge where it is one of them; false where it is none. lhs, rhs: −1 where the end has no row. */
  take(key: Uint8Array, lhs: number, relation: number, rhs: number): boolean {
    const { homes, count, index } = this.#shard;
    const from = lhs < 0 ? this.#homeOf(key, 'lhs') : homes[lhs]!;
    const to = rhs < 0 ? this.#homeOf(key, 'rhs') : homes[rhs]!;
    // Damage: an own end without a row, or an edge of two other shards.
    if ((from === index && lhs < 0) || (to === index && rhs < 0) || (from !== index && to !== index))
      return false;
    const shard = trainingShard(from, to, count);
    if (shard === index && lhs >= 0 && rhs >= 0) return false;
    this.#relation.push(relation);
    if (shard === index) return true;
    this.#rows.push(from === index ? lhs : rhs);
    this.#shards.push(shard);
    return true;
  }

  close(): EdgesApart {
    const apart = {
      relation: Uint8Array.from(this.#relation),
      rows: Int32Array.from(this.#rows),
      shards: Uint8Array.from(this.#shards),
      forgotten: this.#relation.length - this.#rows.length,
    };
    [this.#relation, this.#rows, this.#shards] = [[], [], []];
    return apart;
  }

  #homeOf(key: Uint8Array, end: 'lhs' | 'rhs'): number {
    return shardOf(this.#layout.edgeOf(key)[end], this.#shard.count);
  }
}

function emptyBlock(size: number): EdgeRows {
  return { lhs: new Int32Array(size), relation: new Int32Array(size), rhs: new Int32Array(size) };
}

function endMissing(edge: EdgeName, end: 'lhs' | 'rhs'): FatalError {
  return new FatalError(
    'store-damaged',
    `an edge names ${edge[end]}, an entity that the store does not have`,
  );
}

function startsAlike(one: Uint8Array, other: Uint8Array, length: number): boolean {
  if (other.length < length) return false;
  for (let i = length - 1; i >= 0; i--) if (one[i] !== other[i]) return false;
  return true;
}
