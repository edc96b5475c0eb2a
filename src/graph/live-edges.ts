import { FatalError } from '../errors/errors.ts';
import { type EdgeRows, edgeRows, firstOf } from './edge.ts';
import type { GraphStore } from './graph-store.ts';
import type { NameIndex } from './name-index.ts';

/** Whether an edge is one that this store's trainer learns, or is damaged. lhs, rhs: −1 where the end has no row. */
export type TrainsEdge = (key: Uint8Array, lhs: number, rhs: number) => boolean;

/**
 * Every live edge that is trained here, as rows, `size` at a time, in the order of the store. A starting process reads
 * millions of edges, so no object is made per edge, and a string for those alone whose far end has no row.
 * rows: the row of every entity by name.
 * @throws FatalError naming an end that the store does not have.
 */
export async function* liveEdgeRows(
  { layout, entries }: GraphStore,
  rows: NameIndex,
  size: number,
  trains: TrainsEdge,
): AsyncIterable<EdgeRows> {
  let block = edgeRows(size);
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
      if (!trains(key, lhs, rhs)) continue;
      if (lhs < 0 || rhs < 0) {
        const missing = layout.edgeOf(key)[lhs < 0 ? 'lhs' : 'rhs'];
        throw new FatalError(
          'store-damaged',
          `an edge names ${missing}, an entity that the store does not have`,
        );
      }
      block.lhs[count] = lhs;
      block.relation[count] = relation;
      block.rhs[count] = rhs;
      if (++count < size) continue;
      yield block;
      block = edgeRows(size);
      count = 0;
    }
  }
  if (count > 0) yield firstOf(block, count);
}

function startsAlike(one: Uint8Array, other: Uint8Array, length: number): boolean {
  if (other.length < length) return false;
  for (let i = length - 1; i >= 0; i--) if (one[i] !== other[i]) return false;
  return true;
}
