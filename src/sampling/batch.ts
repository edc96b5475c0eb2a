import { ShapeError } from '../errors/errors.ts';
import { type EdgeRows, edgeRows } from '../graph/edge.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';

export interface Rehearsed {
  readonly edges: EdgeRows;
  /** Edges 0, every, 2 · every, … below `firstRound` are new; the others are rehearsed or come again. */
  readonly every: number;
  readonly firstRound: number;
}

export interface EdgeUpdates {
  /** Updates for each new edge: its own, and those of stored edges drawn uniformly. */
  readonly updatesPerEdge: number;
  /** How many of them are its own, at most `updatesPerEdge`, in as many rounds over each batch; 1 where it is left out. */
  readonly ownUpdates?: number;
}

/** Draws for one rehearsed edge, where some live edges can't be trained yet. */
const MOST_DRAWS = 8;

/**
 * Puts rehearsed edges between new ones, so that the stream does not overwrite what was learned earlier. In each of
 * `ownUpdates` rounds, every new edge comes once, followed by its share of `updatesPerEdge - ownUpdates` edges drawn
 * uniformly from all live edges: a whole number in each round, so that a later round may have one more. A batch costs
 * `updatesPerEdge` times as much as its new edges alone.
 *
 * A second round comes after all of the first: an edge that came twice in a row would mostly repeat its own step. The
 * rounds of a batch need no state, where a second update in a later batch would need the edges that wait for it.
 *
 * trainable: whether an edge between two rows can be trained now; all can unless given. Where a few draws find none, the
 * new edge stands in.
 */
export function rehearse(
  fresh: EdgeRows,
  known: KnownPositives,
  { updatesPerEdge, ownUpdates: rounds = 1 }: EdgeUpdates,
  random: Random,
  trainable?: (lhs: number, rhs: number) => boolean,
): Rehearsed {
  const news = fresh.lhs.length;
  const drawn = known.edges === 0 ? 0 : updatesPerEdge - rounds;
  if (rounds === 1 && drawn === 0) return { edges: fresh, every: 1, firstRound: news };
  const count = news * (rounds + drawn);
  const edges = edgeRows(count);
  const every = 1 + Math.floor(drawn / rounds);
  // Every place gets the new edge, and those of rehearsed edges are written over.
  const places = new Int32Array(news * drawn);
  let [at, place, draws] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const rehearsed = Math.floor((drawn * (round + 1)) / rounds) - Math.floor((drawn * round) / rounds);
    for (let i = 0; i < news; i++) {
      put(edges, at++, fresh, i);
      for (let k = 0; k < rehearsed; k++) {
        places[place++] = at;
        put(edges, at++, fresh, i);
      }
    }
  }
  for (place = 0; place < places.length; ) {
    // A place takes one draw at least: these are not too many.
    const some = known.draw(places.length - place, random);
    for (let i = 0; i < some.lhs.length; i++) {
      if (trainable?.(some.lhs[i]!, some.rhs[i]!) ?? true) put(edges, places[place]!, some, i);
      else if (++draws < MOST_DRAWS) continue;
      place++;
      draws = 0;
    }
  }
  return { edges, every, firstRound: news * every };
}

function put(to: EdgeRows, at: number, from: EdgeRows, i: number): void {
  to.lhs[at] = from.lhs[i]!;
  to.relation[at] = from.relation[i]!;
  to.rhs[at] = from.rhs[i]!;
}

/** The entity types on both sides of a relation, by index. */
export interface TypePair {
  readonly lhsType: number;
  readonly rhsType: number;
}

export interface Cut {
  /** Indices into the batch, chunk after chunk. */
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
  const pairs = new Map<number, number[]>();
  const pairOf = relations.map(({ lhsType, rhsType }) =>
    relations.findIndex((other) => other.lhsType === lhsType && other.rhsType === rhsType),
  );
  for (let i = 0; i < relation.length; i++) {
    const pair = pairOf[relation[i]!];
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
    for (let chunk = 1; chunk <= chunks; chunk++)
      ends.push(start + Math.ceil((list.length * chunk) / chunks));
    start += list.length;
  }
  return { order, ends };
}
