import { FatalError } from '../errors/errors.ts';
import { type EdgeRows, edgeRows } from '../graph/edge.ts';
import type { ChunkSide, Side } from '../model/kernel.ts';
import { CumulativeCounts } from './cumulative-counts.ts';
import { NeighbourLists } from './neighbour-lists.ts';
import type { Random } from './random.ts';

/** The candidates to be masked on one side of some edges; the first `edges` rows of the mask are overwritten. */
export interface MaskTask extends Pick<ChunkSide, 'anchors' | 'positives' | 'count' | 'candidates' | 'mask'> {
  readonly side: Side;
  /** The number of edges, and the indices of their relations. */
  readonly edges: number;
  readonly relation: Int32Array;
  /** Elements from one row of the mask to the next. */
  readonly stride: number;
  /** Most edges with which an anchor is no hub. Of a hub's edges, only the edge's own positive is masked. */
  hub(anchor: number): number;
}

/** An entry of a list, read in order, costs so much less than to ask how long another list is, which is somewhere else in memory. */
const SHORT = 8;
/** A relation's index is a byte. */
const RELATIONS = 256;

/**
 * The live edges, so that none of them is trained as a negative, and each can be trained again. Exact, and independent of
 * the order in which edges arrived. Costs about 17 bytes an edge, and 22 bytes a row.
 */
export class KnownPositives {
  readonly #maxEdges: number;
  readonly #byLhs: NeighbourLists;
  readonly #byRhs: NeighbourLists;
  /** Edges counted by lhs. With the sorted lists, this numbers the edges, independent of the order of arrival. */
  readonly #out: CumulativeCounts;
  /** Scratch of `mask`. */
  readonly #candidates = new RowPlaces();
  readonly #anchors = new RowPlaces();
  /** Scratch of `mask`: lengths of the anchors' lists, 0 for a hub's, and of the candidates'; and what `firsts` writes. */
  #lengths = new Int32Array(256);
  #ofCandidates = new Int32Array(256);
  #firsts = new Int32Array(256);
  #edges = 0;
  /** By relation: its edges. */
  readonly #ofRelation = new Int32Array(RELATIONS);

  constructor({ maxRows, maxEdges }: { readonly maxRows: number; readonly maxEdges: number }) {
    this.#maxEdges = maxEdges;
    this.#byLhs = new NeighbourLists(maxRows, { sorted: true });
    this.#byRhs = new NeighbourLists(maxRows, { sorted: false });
    this.#out = new CumulativeCounts(maxRows);
  }

  get edges(): number {
    return this.#edges;
  }

  edgesOf(relation: number): number {
    return this.#ofRelation[relation]!;
  }

  /**
   * Adds edges at the start, in any order: fastest where those out of a row follow one another. `settle` must follow the last of them.
   * @throws FatalError above `maxEdges`.
   */
  load({ lhs, relation, rhs }: EdgeRows): void {
    this.#edges += lhs.length;
    this.refuseMore();
    for (let i = 0; i < relation.length; i++) this.#ofRelation[relation[i]!]!++;
    for (let from = 0, to = 0; from < lhs.length; from = to) {
      const row = lhs[from]!;
      while (to < lhs.length && lhs[to] === row) to++;
      this.#byLhs.load(row, rhs, relation, from, to);
    }
  }

  /** Ends the loading of edges. */
  settle(): void {
    this.#byLhs.settle();
    this.#byRhs.loadReverse(this.#byLhs);
    for (let row = 0; row < this.#byLhs.rows; row++) this.#out.add(row, this.#byLhs.count(row));
  }

  /** Adds an edge that is not live yet. relation: an index, at most 255. */
  add(lhs: number, relation: number, rhs: number): void {
    this.#edges++;
    this.#ofRelation[relation]!++;
    this.#byLhs.add(lhs, rhs, relation);
    this.#byRhs.add(rhs, lhs, relation);
    this.#out.add(lhs, 1);
  }

  /** To be called after the changes of a batch, whose edges may be added before others are removed. @throws FatalError above `maxEdges`. */
  refuseMore(): void {
    if (this.#edges <= this.#maxEdges) return;
    throw knownEdgesFull(this.#maxEdges);
  }

  remove(lhs: number, relation: number, rhs: number): void {
    if (!this.#byLhs.remove(lhs, rhs, relation)) return;
    this.#byRhs.remove(rhs, lhs, relation);
    this.#out.add(lhs, -1);
    this.#edges--;
    this.#ofRelation[relation]!--;
  }

  has(lhs: number, relation: number, rhs: number): boolean {
    return this.#byLhs.count(lhs) <= this.#byRhs.count(rhs)
      ? this.#byLhs.find(lhs, rhs, relation) >= 0
      : this.#byRhs.find(rhs, lhs, relation) >= 0;
  }

  /**
   * Gives the edges as they are now, whatever changes later: those whose lhs is one of `rows` rows from `first` on, in order. The lists
   * are copied at once: some milliseconds for a million edges.
   */
  frozen(): (first: number, rows: number) => EdgeRows {
    const { lists, neighbours, relations } = this.#byLhs.copy();
    return (first, rows) => {
      const end = Math.min(2 * (first + rows), lists.length);
      let count = 0;
      for (let at = 2 * first; at < end; at += 2) count += lists[at + 1]!;
      const { lhs, relation, rhs } = edgeRows(count);
      let i = 0;
      for (let at = 2 * first; at < end; at += 2) {
        const slots = lists[at]! + lists[at + 1]!;
        for (let slot = lists[at]!; slot < slots; slot++, i++) {
          lhs[i] = at / 2;
          relation[i] = relations[slot]!;
          rhs[i] = neighbours[slot]!;
        }
      }
      return { lhs, relation, rhs };
    };
  }

  /** So many edges, each equally likely; there must be one. The draws do not depend on the order of arrival. */
  draw(count: number, random: Random): EdgeRows {
    const numbers = random.integers(this.#edges, new Int32Array(count));
    const { lhs, relation, rhs } = edgeRows(count);
    this.#out.find(numbers, lhs);
    const { neighbours, relations } = this.#byLhs;
    for (let i = 0; i < count; i++) {
      const slot = this.#byLhs.slot(lhs[i]!) + numbers[i]!;
      relation[i] = relations[slot]!;
      rhs[i] = neighbours[slot]!;
    }
    return { lhs, relation, rhs };
  }

  /** The number of edges, of any relation, with the row on the side. */
  degree(side: Side, row: number): number {
    return (side === 'lhs' ? this.#byLhs : this.#byRhs).count(row);
  }

  /** Writes the degree of each of the first `count` rows, read side by side. */
  degrees(side: Side, rows: Int32Array, count: number, degrees: Int32Array): void {
    (side === 'lhs' ? this.#byLhs : this.#byRhs).counts(rows, count, degrees);
  }

  /**
   * Fills the task's mask: for each edge its own positive, live or not, and the known positives of its anchor and relation
   * unless the anchor is a hub. Walks either the lists of the anchors (one per edge) or those of the candidates (each once
   * for all edges), whichever are shorter in total, since either may contain hubs.
   */
  mask(task: MaskTask): void {
    const { edges, anchors, positives, count, candidates, mask, stride } = task;
    const forward = task.side === 'rhs' ? this.#byLhs : this.#byRhs;
    const backward = task.side === 'rhs' ? this.#byRhs : this.#byLhs;
    this.#candidates.fill(candidates, count);
    if (this.#firsts.length < Math.max(edges, count)) {
      const scratch = () => new Int32Array(2 * Math.max(edges, count));
      [this.#lengths, this.#ofCandidates, this.#firsts] = [scratch(), scratch(), scratch()];
    }
    forward.counts(anchors, edges, this.#lengths);
    forward.firsts(anchors, edges, this.#firsts);
    let ofAnchors = 0;
    // Shared memory is filled one element at a time: they are as large as can be.
    const [bytes, words] = [edges * stride, Math.floor((edges * stride) / 8)];
    new Float64Array(mask.buffer, mask.byteOffset, words).fill(0);
    mask.fill(0, 8 * words, bytes);
    for (let i = 0; i < edges; i++) {
      this.#mark(positives[i]!, mask, i * stride);
      if (this.#lengths[i]! > task.hub(anchors[i]!)) this.#lengths[i] = 0;
      ofAnchors += this.#lengths[i]!;
    }
    let ofCandidates = 0;
    if (ofAnchors > SHORT * count) {
      backward.counts(candidates, count, this.#ofCandidates);
      for (let k = 0; k < count; k++) ofCandidates += this.#ofCandidates[k]!;
    }
    if (ofAnchors <= Math.max(SHORT * count, ofCandidates)) this.#walkAnchors(task, forward);
    else this.#walkCandidates(task, backward);
  }

  #walkAnchors(task: MaskTask, lists: NeighbourLists): void {
    const { edges, anchors, relation, candidates, mask, stride } = task;
    const { neighbours, relations } = lists;
    const { heads, before } = this.#candidates;
    for (let i = 0; i < edges; i++) {
      const [line, wanted] = [i * stride - 1, relation[i]!];
      const start = lists.slot(anchors[i]!);
      const end = start + this.#lengths[i]!;
      for (let slot = start; slot < end; slot++) {
        const row = neighbours[slot]!;
        let k = heads[row & LOW_BITS]!;
        // Most buckets are empty: nothing else is read then.
        if (k === 0 || relations[slot] !== wanted) continue;
        for (; k !== 0; k = before[k]!) if (candidates[k - 1] === row) mask[line + k] = 1;
      }
    }
  }

  #walkCandidates(task: MaskTask, lists: NeighbourLists): void {
    const { edges, anchors, relation, count, candidates, mask, stride } = task;
    const { neighbours, relations } = lists;
    lists.firsts(candidates, count, this.#firsts);
    this.#anchors.fill(anchors, edges);
    const { heads, before } = this.#anchors;
    for (let k = 0; k < count; k++) {
      const row = candidates[k]!;
      const known = this.#ofCandidates[k]!;
      if (known === 0 || this.#candidates.previous(k) >= 0) continue;
      const start = lists.slot(row);
      for (let slot = start; slot < start + known; slot++) {
        const anchor = neighbours[slot]!;
        // Most buckets are empty here too.
        for (let i = heads[anchor & LOW_BITS]!; i !== 0; i = before[i]!) {
          if (anchors[i - 1] !== anchor || relations[slot] !== relation[i - 1]) continue;
          if (this.#lengths[i - 1]! > 0) this.#mark(row, mask, (i - 1) * stride);
        }
      }
    }
  }

  /** Marks every candidate that is this row, in the mask row that starts at `line`. */
  #mark(row: number, mask: Uint8Array, line: number): void {
    for (let k = this.#candidates.last(row); k >= 0; k = this.#candidates.previous(k)) mask[line + k] = 1;
  }
}

/** A power of two, a few times the rows of a chunk, and small enough for the first-level cache. */
const BUCKETS = 2048;
const LOW_BITS = BUCKETS - 1;

/** The places of each row in a short list: a hash table by the low bits of the row, chained through the list itself. */
export class RowPlaces {
  /** [BUCKETS] 1 + the last place in the bucket, or 0. */
  readonly heads = new Int32Array(BUCKETS);
  /** [1 + places] by 1 + a place: 1 + the previous place in the same bucket, or 0. `fill` may replace the array. */
  before = new Int32Array(256);
  #rows: Int32Array = new Int32Array(0);

  /** Replaces the list by the first `count` of `rows`, duplicates allowed. The list is not copied. */
  fill(rows: Int32Array, count: number): void {
    this.#rows = rows;
    if (this.before.length <= count) this.before = new Int32Array(2 * count);
    const { heads, before } = this;
    heads.fill(0);
    for (let k = 1; k <= count; k++) {
      const bucket = rows[k - 1]! & LOW_BITS;
      before[k] = heads[bucket]!;
      heads[bucket] = k;
    }
  }

  /** The last place of a row, or -1. */
  last(row: number): number {
    return this.#from(this.heads[row & LOW_BITS]!, row);
  }

  /** The previous place of the row at `place`, or -1. */
  previous(place: number): number {
    return this.#from(this.before[place + 1]!, this.#rows[place]!);
  }

  #from(k: number, row: number): number {
    while (k !== 0 && this.#rows[k - 1] !== row) k = this.before[k]!;
    return k - 1;
  }
}

export function knownEdgesFull(maxEdges: number): FatalError {
  return new FatalError(
    'known-edges',
    `the graph has more than limits.maxKnownEdges live edges, which is ${maxEdges}: raise it, where memory allows, or cut the graph into shards (twhin reshard); nothing is lost`,
  );
}
