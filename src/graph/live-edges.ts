import { FatalError } from '../errors/errors.ts';
import type { EdgeName, EdgeRows } from './edge.ts';
import type { GraphStore } from './graph-store.ts';
import type { NameIndex } from './name-index.ts';
import { type Shard, shardOf } from './shard.ts';

/** Live edges, `size` of each kind at most. */
export interface LiveEdges extends EdgeRows {
  /** In a shard: further edges, whose far end belongs to another shard and has no row here. */
  readonly apart?: EdgesApart;
}

/** Edges by the row of their own end, with the relation of each and the shard that its far end belongs to. */
export interface EdgesApart {
  readonly rows: Int32Array;
  readonly relation: Uint8Array;
  readonly shards: Uint8Array;
}

/**
 * Every live edge as rows, `size` at a time, in the order of the store. A starting process reads millions of edges, so
 * no object is made per edge and no string per entity.
 * rows: the row of every entity by name. shard: the shard whose store it is, where the graph is cut.
 * @throws FatalError naming an end that the store does not have.
 */
export async function* liveEdgeRows(
  { layout, entries }: GraphStore,
  rows: NameIndex,
  size: number,
  shard?: Shard,
): AsyncIterable<LiveEdges> {
  const apart = shard && new OpenApart(shard);
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
      if (lhs < 0 || rhs < 0) {
        if (!apart?.take(layout.edgeOf(key), relation, lhs, rhs))
          throw endMissing(layout.edgeOf(key), lhs < 0 ? 'lhs' : 'rhs');
        if (apart.size < size) continue;
        yield {
          lhs: new Int32Array(0),
          relation: block.relation.subarray(0, 0),
          rhs: new Int32Array(0),
          apart: apart.close(),
        };
        continue;
      }
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
  readonly #shard: Shard;
  #edges: { readonly row: number; readonly relation: number; readonly shard: number }[] = [];

  constructor(shard: Shard) {
    this.#shard = shard;
  }

  get size(): number {
    return this.#edges.length;
  }

  /** Takes an edge where one end has a row, and the other belongs to another shard; false where it is none. */
  take(edge: EdgeName, relation: number, lhs: number, rhs: number): boolean {
    const shard = shardOf(lhs < 0 ? edge.lhs : edge.rhs, this.#shard.count);
    const row = Math.max(lhs, rhs);
    if (row < 0 || shard === this.#shard.index) return false;
    this.#edges.push({ row, relation, shard });
    return true;
  }

  close(): EdgesApart {
    const edges = this.#edges;
    this.#edges = [];
    return {
      rows: Int32Array.from(edges, ({ row }) => row),
      relation: Uint8Array.from(edges, ({ relation }) => relation),
      shards: Uint8Array.from(edges, ({ shard }) => shard),
    };
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
