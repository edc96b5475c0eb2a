import { ShapeError } from '../errors/errors.ts';
import type { EdgeRows } from '../graph/edge.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';

/** The edges of a batch, new ones and rehearsed ones. */
export interface Rehearsed {
  readonly edges: EdgeRows;
  /** Edges 0, every, 2 · every, … are new; the others are rehearsed. */
  readonly every: number;
}

/**
 * Puts rehearsed edges between new ones, so that the stream does not overwrite what was learned earlier. Each new edge is
 * followed by `updatesPerEdge - 1` edges drawn uniformly from all live edges, and a batch costs `updatesPerEdge` times as
 * much.
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

/** The entity types on both sides of a relation, by index. */
export interface TypePair {
  readonly lhsType: number;
  readonly rhsType: number;
}

/** The edges of a batch, cut into chunks. */
export interface Cut {
  /** [edges] indices into the batch, chunk after chunk. */
  readonly order: Int32Array;
  /** The end of each chunk in `order`; a chunk starts where the previous chunk ends. */
  readonly ends: readonly number[];
}

/**
 * Cuts a batch into chunks of at most `chunkEdges` edges, each of one pair of entity types. Pairs come in the order of
 * first appearance, the edges of a pair in the order of arrival. The chunks of a pair are of even size, since a short
 * chunk has few negatives: 65 edges, at 64 a chunk, make 33 and 32.
 * @throws ShapeError for an unknown relation index.
 */
export function cutChunks(relation: Int32Array, relations: readonly TypePair[], chunkEdges: number): Cut {
  const pairs = new Map<string, number[]>();
  const listOf = relations.map(({ lhsType, rhsType }) => `${lhsType}:${rhsType}`);
  for (let i = 0; i < relation.length; i++) {
    const pair = listOf[relation[i]!];
    if (pair === undefined) {
      throw new ShapeError(`edge ${i} has relation ${relation[i]}; there are ${relations.length}`);
    }
    const list = pairs.get(pair);
    if (list === undefined) pairs.set(pair, [i]);
    else list.push(i);
  }
  const order = new Int32Array(relation.length);
  const ends: number[] = [];
  let start = 0;
  for (const list of pairs.values()) {
    order.set(list, start);
    const chunks = Math.ceil(list.length / chunkEdges);
    for (let chunk = 1; chunk <= chunks; chunk++) {
      ends.push(start + Math.ceil((list.length * chunk) / chunks));
    }
    start += list.length;
  }
  return { order, ends };
}
