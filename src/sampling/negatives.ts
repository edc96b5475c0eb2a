import type { EdgeRows } from '../graph/edge.ts';
import type { Chunk, ChunkSide, Side } from '../model/kernel.ts';
import type { TypePair } from './batch.ts';
import type { KnownPositives, MaskTask } from './known-positives.ts';
import type { Random } from './random.ts';
import type { TypeRows } from './type-rows.ts';

/**
 * A row with more live edges is a hub. Masking all its neighbours is slow, and keeps the model from telling them apart. A shard knows
 * a share of a row's edges: there, a row with more than this share of as many is a hub.
 */
const HUB = 1_000;
/** Most candidates have a degree below this one: each such degree needs one logarithm a chunk. */
const SMALL = 32;

export interface TrainedRelation extends TypePair {
  /** Factor on the loss of the relation's edges; default 1. */
  readonly weight?: number;
}

/** What a shard knows of other shards' rows as candidates. */
export interface ForeignCandidates {
  /** Shards of the graph. */
  readonly shards: number;
  isForeign(row: number): boolean;
  /** The part of a row's edges on a side that this shard trains, as far as entities are spread evenly. */
  share(row: number, side: Side): number;
}

/** A whole graph: every row is its own, and it trains all edges. */
export const WHOLE: ForeignCandidates = { shards: 1, isForeign: () => false, share: () => 1 };

export interface NegativesOptions {
  readonly rows: TypeRows;
  readonly known: KnownPositives;
  readonly relations: readonly TrainedRelation[];
  /** Candidates per side that are drawn uniformly. */
  readonly uniform: number;
  /**
   * Whether the entities of the chunk are candidates too, each as often as it is in an edge. Popular entities are then
   * negatives in proportion to their popularity, and scores express preference beyond popularity, unless corrected.
   */
  readonly inBatch: boolean;
  /** Whether a candidate's score is corrected for how often it is drawn. */
  readonly corrected: boolean;
  /**
   * Whether each edge has its own anchor as a negative, where both ends are of one type. A translation can be so short that
   * the anchor itself is nearest to where it leads.
   */
  readonly anchors: boolean;
  readonly foreign: ForeignCandidates;
}

/** Fills the chunks of a kernel: edges, candidates for both sides, and masks. */
export class Negatives {
  readonly #options: NegativesOptions;
  /** Scratch of `#correct`: the correction of each small degree, or NaN. */
  readonly #ofSmall = new Float32Array(SMALL);

  constructor(options: NegativesOptions) {
    this.#options = options;
  }

  /**
   * Fills the chunk with the edges of a batch whose indices are in `picked`. The candidates of a side are the chunk's own
   * entities of that side (if in-batch candidates are wanted), one per edge, then `uniform` rows of their type, drawn with
   * replacement. rhs is drawn before lhs.
   */
  fill(chunk: Chunk, edges: EdgeRows, picked: Int32Array, random: Random): void {
    const { relations, corrected, anchors } = this.#options;
    const count = picked.length;
    for (let i = 0; i < count; i++) {
      const edge = picked[i]!;
      chunk.lhs[i] = edges.lhs[edge]!;
      chunk.relation[i] = edges.relation[edge]!;
      chunk.rhs[i] = edges.rhs[edge]!;
      chunk.edgeWeights[i] = relations[edges.relation[edge]!]!.weight ?? 1;
    }
    const { lhsType, rhsType } = relations[chunk.relation[0]!]!;
    chunk.edges = count;
    const inBatch = this.#options.inBatch ? count : 0;
    for (const side of ['rhs', 'lhs'] as const) {
      const own = chunk.sides[side];
      const type = side === 'rhs' ? rhsType : lhsType;
      own.candidates.set(own.positives.subarray(0, inBatch));
      own.count = this.#draw(own.candidates, inBatch, type, random);
      // Before the corrections: it looks up the same degrees all at once, and leaves them in the processor's cache.
      this.#mask(chunk, side);
      if (corrected) this.#correct(own, inBatch, side, type);
      if (anchors && lhsType === rhsType) addAnchors(chunk, own);
    }
  }

  /** Draws candidates after the in-batch ones, and returns the number of all. A type without a row here has in-batch ones alone. */
  #draw(out: Int32Array, inBatch: number, type: number, random: Random): number {
    const { rows, uniform } = this.#options;
    if (rows.count(type) === 0) return inBatch;
    const end = inBatch + uniform;
    rows.draw(type, random, out.subarray(inBatch, end));
    return end;
  }

  /** Live edges, of all relations, that have an entity of the type on the side. */
  #edges(side: Side, type: number): number {
    const { relations, known } = this.#options;
    let edges = 0;
    for (let r = 0; r < relations.length; r++) {
      const { lhsType, rhsType } = relations[r]!;
      if ((side === 'lhs' ? lhsType : rhsType) === type) edges += known.edgesOf(r);
    }
    return edges;
  }

  /**
   * Sets the correction of each candidate: the logarithm of how often a chunk is expected to have it, as a multiple of how
   * often a chunk with as many uniform candidates would. An in-batch candidate is expected in proportion to its degree.
   * Relative to uniform draws, since the softmax then approximates the sum over all rows of the type, scaled as it is
   * with uniform candidates alone: their correction is 0, and the weight of the sum keeps its meaning.
   *
   * In a shard, the own rows stand for `shards` times as many. The edges are those that it trains: of own rows more than of
   * others, as its chunks have them.
   */
  #correct(
    { corrections: out, candidates, count: total }: ChunkSide,
    inBatch: number,
    side: Side,
    type: number,
  ): void {
    const { known, uniform, foreign, rows: types } = this.#options;
    const rows = types.count(type);
    const edges = this.#edges(side, type);
    if (edges === 0 || rows === 0) {
      out.fill(0, 0, total);
      return;
    }
    const all = rows * foreign.shards;
    const small = this.#ofSmall.fill(Number.NaN);
    // In place of the corrections.
    const degrees = new Int32Array(out.buffer, out.byteOffset, total);
    known.degrees(side, candidates, total, degrees);
    for (let k = 0; k < total; k++) {
      // An edge beyond the limit of remembered edges is in no degree.
      const degree = Math.max(degrees[k]!, 1);
      let correction = degree < SMALL ? small[degree]! : Number.NaN;
      if (Number.isNaN(correction)) {
        correction = Math.log((uniform + all * inBatch * (degree / edges)) / total);
        if (degree < SMALL) small[degree] = correction;
      }
      out[k] = correction;
    }
  }

  #mask({ edges, relation, sides, maxCandidates: stride }: Chunk, side: Side): void {
    const { foreign, known } = this.#options;
    const anchorSide = side === 'rhs' ? 'lhs' : 'rhs';
    const hub = (anchor: number) => HUB * foreign.share(anchor, anchorSide);
    const task = { ...sides[side], side, edges, relation, stride, hub };
    known.mask(task);
    if (foreign.shards > 1) maskForeign(foreign, task);
  }
}

/** Keeps other shards' rows from being negatives of other shards' anchors: this shard does not know the edges between the two. */
function maskForeign(foreign: ForeignCandidates, task: MaskTask): void {
  const { edges, stride, anchors, count, candidates, mask } = task;
  const masked: number[] = [];
  for (let k = 0; k < count; k++) if (foreign.isForeign(candidates[k]!)) masked.push(k);
  if (masked.length === 0) return;
  for (let i = 0; i < edges; i++) {
    if (!foreign.isForeign(anchors[i]!)) continue;
    for (const k of masked) mask[i * stride + k] = 1;
  }
}

/** Appends the anchors of all edges to the candidates of a side, each masked for every edge but its own. */
function addAnchors({ edges, lhs, rhs, maxCandidates }: Chunk, side: ChunkSide): void {
  const { anchors, candidates, corrections, mask, count: from } = side;
  candidates.set(anchors.subarray(0, edges), from);
  corrections.fill(0, from, from + edges);
  for (let i = 0; i < edges; i++) {
    const at = i * maxCandidates + from;
    mask.fill(1, at, at + edges);
    // An edge from an entity to itself has the anchor as its positive.
    if (lhs[i] !== rhs[i]) mask[at + i] = 0;
  }
  side.count += edges;
}
