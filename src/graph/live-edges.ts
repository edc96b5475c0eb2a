import { FatalError } from '../errors/errors.ts';
import type { EdgeName, EdgeRows } from './edge.ts';
import type { GraphStore } from './graph-store.ts';
import type { Layout } from './layout.ts';
import type { NameIndex } from './name-index.ts';
import { type Shard, shardOf, trainingShard } from './shard.ts';

/** A shard, and what is known of the rows of its store. */
export interface ShardRows extends Shard {
  /** By row: the shard that the row's entity belongs to. */
  readonly homes: Uint8Array;
}

/**
 * Every live edge as rows, `size` at a time, in the order of the store; in a shard, those that it trains. A starting process reads
 * millions of edges, so no object is made per edge, and a string for those alone whose far end has no row.
 * rows: the row of every entity by name. shard: whose store it is, where the graph is cut.
 * counts: [relations] gets the number of all live edges added.
 * @throws FatalError naming an end that the store does not have.
 */
export async function* liveEdgeRows(
  { layout, entries }: GraphStore,
  rows: NameIndex,
  size: number,
  counts: number[],
  shard?: ShardRows,
): AsyncIterable<EdgeRows> {
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
      counts[relation]! += 1;
      if (shard && isApart(shard, layout, key, lhs, rhs)) continue;
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
  if (count > 0) {
    yield {
      lhs: block.lhs.subarray(0, count),
      relation: block.relation.subarray(0, count),
      rhs: block.rhs.subarray(0, count),
    };
  }
}

/** Whether another shard trains the edge; false where it is damaged. lhs, rhs: −1 where the end has no row. */
function isApart(
  { homes, index, count }: ShardRows,
  layout: Layout,
  key: Uint8Array,
  lhs: number,
  rhs: number,
): boolean {
  const from = lhs < 0 ? shardOf(layout.edgeOf(key).lhs, count) : homes[lhs]!;
  const to = rhs < 0 ? shardOf(layout.edgeOf(key).rhs, count) : homes[rhs]!;
  const ownHasRow = (from === index && lhs >= 0) || (to === index && rhs >= 0);
  return ownHasRow && trainingShard(from, to, count) !== index;
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
