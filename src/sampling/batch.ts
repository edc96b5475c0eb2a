import { ShapeError } from '../errors/errors.ts';
import type { EdgeRows } from '../graph/edge.ts';
import type { KnownPositives } from './known-positives.ts';
import type { Random } from './random.ts';

/** The edges of a batch, new ones and rehearsed ones. */
export interface Rehearsed {
  readonly edges: EdgeRows;
  /** Edges 0, every, 2 · every, … below `firstRound` are new; the others are rehearsed or come again. */
  readonly every: number;
  readonly firstRound: number;
}

/** The updates of an edge. */
export interface EdgeUpdates {
  readonly updatesPerEdge: number;
  /** How many of them train the new edge itself, at most `updatesPerEdge`; 1 where it is left out. */
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
  const edges = {
    lhs: new Int32Array(count),
    relation: new Int32Array(count),
    rhs: new Int32Array(count),
  };
  const every = 1 + Math.floor(drawn / rounds);
  let at = 0;
  for (let round = 0; round < rounds; round++) {
    const rehearsed = Math.floor((drawn * (round + 1)) / rounds) - Math.floor((drawn * round) / rounds);
    const end = at + news * (1 + rehearsed);
    for (let i = 0; at < end; i++) {
      const isNew = i % (1 + rehearsed) === 0;
      const found = isNew ? undefined : drawTrainable(known, random, trainable);
      const { lhs, relation, rhs } = found ?? edgeAt(fresh, Math.floor(i / (1 + rehearsed)));
      edges.lhs[at] = lhs;
      edges.relation[at] = relation;
      edges.rhs[at] = rhs;
      at++;
    }
  }
  return { edges, every, firstRound: news * every };
}

function drawTrainable(
  known: KnownPositives,
  random: Random,
  trainable: ((lhs: number, rhs: number) => boolean) | undefined,
): ReturnType<KnownPositives['draw']> | undefined {
  if (trainable === undefined) return known.draw(random);
  for (let draw = 0; draw < MOST_DRAWS; draw++) {
    const edge = known.draw(random);
    if (trainable(edge.lhs, edge.rhs)) return edge;
  }
  return undefined;
}

function edgeAt({ lhs, relation, rhs }: EdgeRows, i: number) {
  return { lhs: lhs[i]!, relation: relation[i]!, rhs: rhs[i]! };
}

/** The entity types on both sides of a relation, by index. */
export interface TypePair {
  readonly lhsType: number;
  readonly rhsType: number;
}

/**
 * The ends that are ranked among candidates in a chunk, each with the other end as the anchor. A shard ranks one end at a
 * time, since only one end of an edge to another shard has its anchor here.
 */
export type RankedEnds = 'both' | 'lhs' | 'rhs';

/** In a whole graph, a chunk ranks both ends of its edges. */
const WHOLE: readonly RankedEnds[] = ['both'];

/** The edges of a batch, cut into chunks. */
export interface Cut {
  /** Indices into the batch, chunk after chunk: each edge as often as there are chunks of its own that rank it. */
  readonly order: Int32Array;
  /** The end of each chunk in `order`; a chunk starts where the previous chunk ends. */
  readonly ends: readonly number[];
  /** The ends that are ranked in each chunk. */
  readonly ranked: readonly RankedEnds[];
}

/**
 * Cuts a batch into chunks of at most `chunkEdges` edges, each of one pair of entity types and with the same ends ranked.
 * Pairs come in the order of first appearance, the edges of a pair in the order of arrival. The chunks of a pair are of even
 * size, since a short chunk has few negatives: 65 edges, at 64 a chunk, make 33 and 32.
 * Chunks that rank one end and chunks that rank the other come in turn: all of one kind first would teach one end, and then
 * overwrite it with what the other end asks for.
 * rankedOf: for each chunk that edge `i` is to be in, the ends that it ranks; one chunk with both unless given.
 * @throws ShapeError for an unknown relation index.
 */
export function cutChunks(
  relation: Int32Array,
  relations: readonly TypePair[],
  chunkEdges: number,
  rankedOf: (i: number) => readonly RankedEnds[] = () => WHOLE,
): Cut {
  /** By pair of types, then by the ends that are ranked: the edges, in the order of arrival. */
  const pairs = new Map<number, Map<RankedEnds, number[]>>();
  const pairOf = relations.map(({ lhsType, rhsType }) =>
    relations.findIndex((other) => other.lhsType === lhsType && other.rhsType === rhsType),
  );
  let cut = 0;
  for (let i = 0; i < relation.length; i++) {
    const pair = pairOf[relation[i]!];
    if (pair === undefined) {
      throw new ShapeError(`edge ${i} has relation ${relation[i]}; there are ${relations.length}`);
    }
    let lists = pairs.get(pair);
    if (lists === undefined) {
      lists = new Map();
      pairs.set(pair, lists);
    }
    for (const ranked of rankedOf(i)) {
      const list = lists.get(ranked);
      if (list === undefined) lists.set(ranked, [i]);
      else list.push(i);
      cut++;
    }
  }
  const order = new Int32Array(cut);
  const ends: number[] = [];
  const rankedEnds: RankedEnds[] = [];
  let start = 0;
  for (const lists of pairs.values()) {
    for (const { ranked, edges } of inTurn(lists, chunkEdges)) {
      order.set(edges, start);
      start += edges.length;
      ends.push(start);
      rankedEnds.push(ranked);
    }
  }
  return { order, ends, ranked: rankedEnds };
}

/** The chunks of all lists, each list's in order, and as far through one list as through the others. */
function inTurn(
  lists: ReadonlyMap<RankedEnds, number[]>,
  chunkEdges: number,
): { readonly ranked: RankedEnds; readonly edges: number[]; readonly through: number }[] {
  const chunks = [...lists].flatMap(([ranked, list]) => {
    const count = Math.ceil(list.length / chunkEdges);
    const end = (chunk: number) => Math.ceil((list.length * chunk) / count);
    return Array.from({ length: count }, (_, chunk) => ({
      ranked,
      edges: list.slice(end(chunk), end(chunk + 1)),
      through: (chunk + 0.5) / count,
    }));
  });
  return chunks.sort((a, b) => a.through - b.through);
}
