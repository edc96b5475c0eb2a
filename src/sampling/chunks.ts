import { ShapeError } from '../errors/errors.ts';

/** Edges as rows: three arrays of one length. */
export interface EdgeRows {
  readonly lhs: Int32Array;
  /** Relation index. */
  readonly relation: Int32Array;
  readonly rhs: Int32Array;
}

/** The entity types a relation runs between, by index. */
export interface TypePair {
  readonly lhsType: number;
  readonly rhsType: number;
}

/** A batch's edges cut into chunks. */
export interface Cut {
  /** [edges] indices into the batch, chunk after chunk. */
  readonly order: Int32Array;
  /** End of each chunk in `order`; it starts where the one before ends. */
  readonly ends: readonly number[];
}

/**
 * Cuts a batch into chunks of at most `chunkEdges` edges of one pair of entity types. Pairs come in the order they
 * first appear, edges of a pair in the order they arrived. Chunks of a pair are as even in size as can be, since
 * a short one has few negatives: 65 edges at 64 a chunk make 33 and 32.
 * @throws ShapeError for a relation index that is none.
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
