import type { EdgeRows } from './chunks.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';

/** Edges to train on. */
export interface Rehearsed {
  readonly edges: EdgeRows;
  /** Every so manyth edge is new, from the first on; those between are rehearsed. */
  readonly every: number;
}

/**
 * Puts edges learned before beside new ones, so that a stream does not overwrite what it taught earlier: each new edge is
 * followed by `updatesPerEdge - 1` drawn uniformly from all live edges, itself included. A batch costs that many times more.
 */
export function rehearse(
  fresh: EdgeRows,
  known: KnownPositives,
  updatesPerEdge: number,
  random: Random,
): Rehearsed {
  if (updatesPerEdge === 1 || known.edges === 0) return { edges: fresh, every: 1 };
  const count = fresh.lhs.length * updatesPerEdge;
  const edges = {
    lhs: new Int32Array(count),
    relation: new Int32Array(count),
    rhs: new Int32Array(count),
  };
  for (let i = 0; i < count; i++) {
    const at = i / updatesPerEdge;
    const isNew = i % updatesPerEdge === 0;
    const { lhs, relation, rhs } = isNew ? edgeAt(fresh, at) : known.draw(random);
    edges.lhs[i] = lhs;
    edges.relation[i] = relation;
    edges.rhs[i] = rhs;
  }
  return { edges, every: updatesPerEdge };
}

function edgeAt({ lhs, relation, rhs }: EdgeRows, i: number) {
  return { lhs: lhs[i]!, relation: relation[i]!, rhs: rhs[i]! };
}
