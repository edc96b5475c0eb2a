import type { EdgeRows } from '../../../graph/edge.ts';
import { SCORERS } from '../../../model/scorers.ts';
import { CumulativeCounts } from '../../../sampling/cumulative-counts.ts';
import { DecayedCounts } from '../../../sampling/decayed-counts.ts';
import { Random } from '../../../sampling/random.ts';
import type { TypeRows } from '../../../sampling/type-rows.ts';
import { type BatchParts, eachChange } from '../batch-codec.ts';
import type { PrequentialSettings, RankedEdges } from '../trainer.ts';
import type { EvaluatorParts } from './evaluator.ts';
import { type Block, blocksOf, Ranker, rankAmong, unmasked } from './ranker.ts';

/** The ways of ranking, in the order of their columns in {@link RankedEdges.ranks}. */
export const RANKED_BY = ['vectors', 'popularity', 'recent', 'start'] as const;

/** Values of an edge in {@link RankedEdges.ranks}. */
const WIDTH = 10;

interface PrequentialParts extends Omit<EvaluatorParts, 'candidates'> {
  readonly prequential: PrequentialSettings;
  readonly types: TypeRows;
  /** The vector of a row, [dim]; looked at at once. */
  vector(row: number): Float32Array;
}

/**
 * Ranks each edge of a stream before it is learned, and reports the edges one by one: rhs among candidates drawn
 * uniformly from its type, and among candidates drawn in proportion to degree (the rhs of a uniformly drawn live edge of
 * the relation). Known positives of lhs and relation are left out, and so are rows that no batch has trained. Beside the
 * vectors, the same candidates are ranked by in-degree in the relation, by a decayed in-degree, and by the vectors with a
 * random start in place of the younger end's vector: what learning that end gave is the lead over it. A tie counts half.
 * Everything is as of the end of the batch before. Up to 64 edges of a relation in a batch share their candidates. The
 * draws come from a random source of its own, so that ranking changes nothing of the training.
 */
export class Prequential {
  readonly #parts: PrequentialParts;
  readonly #random: Random;
  /** The source of random starts alone, so that candidates are the same with and without them. */
  readonly #starts: Random;
  /** By relation: live edges by rhs. */
  readonly #degrees: readonly CumulativeCounts[];
  /** By relation: [maxRows] the same counts, to be read at once. */
  readonly #popularity: readonly Int32Array[];
  readonly #recent: readonly DecayedCounts[];
  /** [maxRows] events learned with the row at either end. */
  readonly #events: Int32Array;
  #learned = 0;
  readonly #ranker: Ranker;
  /** The candidates of both sets, the uniform ones first. */
  readonly #candidates: Int32Array;
  /** [candidates] popularity and recent popularity of the candidates. */
  readonly #counts: Float64Array;
  readonly #recents: Float64Array;
  /** [candidates] scores of a random start with the relation. */
  readonly #started: Float64Array;

  constructor(parts: PrequentialParts) {
    const { relations, maxRows } = parts.settings;
    const { seed, candidates, halfLife, before } = parts.prequential;
    this.#parts = parts;
    this.#random = Random.seeded(seed);
    this.#starts = Random.seeded(seed + 1);
    this.#degrees = relations.map(() => new CumulativeCounts(maxRows));
    this.#popularity = relations.map(() => new Int32Array(maxRows));
    this.#recent = relations.map(() => new DecayedCounts(maxRows, halfLife));
    this.#events = new Int32Array(maxRows);
    const count = 2 * candidates;
    this.#ranker = new Ranker(parts.kernel, parts.known, count);
    this.#candidates = new Int32Array(count);
    this.#counts = new Float64Array(count);
    this.#recents = new Float64Array(count);
    this.#started = new Float64Array(count);
    this.#count(before);
  }

  /** Notes live edges of a stored graph, before the first batch. */
  load({ relation, rhs }: EdgeRows): void {
    for (let i = 0; i < rhs.length; i++) this.#change(relation[i]!, rhs[i]!, 1);
  }

  /** Ranks the edges of a batch that is not learned yet, those from edge number `from` of the stream on. */
  rank(edges: EdgeRows): RankedEdges {
    const { lhs, relation, rhs } = edges;
    const first = Math.min(lhs.length, Math.max(0, this.#parts.prequential.from - this.#learned));
    /** [edges, WIDTH] zeros where an edge was not ranked. */
    const all = new Float32Array(lhs.length * WIDTH);
    for (const block of blocksOf(edges, range(first, lhs.length))) this.#rankBlock(block, edges, all);
    const ranked = range(first, lhs.length).filter((i) => all[i * WIDTH] !== 0);
    return {
      edge: Float64Array.from(ranked, (i) => this.#learned + i),
      lhs: Int32Array.from(ranked, (i) => lhs[i]!),
      relation: Uint8Array.from(ranked, (i) => relation[i]!),
      lhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(lhs[i]!)),
      rhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(rhs[i]!)),
      repeated: Uint8Array.from(ranked, (i) =>
        this.#parts.known.has(lhs[i]!, relation[i]!, rhs[i]!) ? 1 : 0,
      ),
      ranks: Float32Array.from(ranked.flatMap((i) => [...all.subarray(i * WIDTH, (i + 1) * WIDTH)])),
    };
  }

  /** Notes what a batch did to the edges and the rows. */
  learn({ edges, changes, dropped, reset }: BatchParts): void {
    for (const row of [...dropped, ...reset]) this.#events[row] = 0;
    this.#count(edges);
    eachChange(changes, (_, relation, rhs, live) => this.#change(relation, rhs, live ? 1 : -1));
  }

  #count({ lhs, relation, rhs }: EdgeRows): void {
    for (let i = 0; i < lhs.length; i++) {
      this.#events[lhs[i]!]!++;
      if (lhs[i] !== rhs[i]) this.#events[rhs[i]!]!++;
      for (const recent of this.#recent) recent.tick();
      this.#recent[relation[i]!]!.add(rhs[i]!);
    }
    this.#learned += lhs.length;
  }

  #change(relation: number, rhs: number, by: 1 | -1): void {
    this.#degrees[relation]!.add(rhs, by);
    this.#popularity[relation]![rhs]! += by;
  }

  /** A row that starts again has forgotten its events. */
  #eventsOf(row: number): number {
    return this.#parts.trained[row] === 1 ? this.#events[row]! : 0;
  }

  /** Puts the ranks of a block's edges into `all`. */
  #rankBlock(block: Block, edges: EdgeRows, all: Float32Array): void {
    const { relation, members } = block;
    if (!this.#draw(relation)) return;
    const candidates = this.#candidates;
    const scored = this.#ranker.score(block, edges, candidates);
    const popularity = this.#popularity[relation]!;
    const recent = this.#recent[relation]!;
    for (let k = 0; k < candidates.length; k++) {
      this.#counts[k] = popularity[candidates[k]!]!;
      this.#recents[k] = recent.of(candidates[k]!);
      if (this.#parts.trained[candidates[k]!] !== 1) for (const { mask } of scored) mask[k] = 1;
    }
    const start = this.#start(relation);
    members.forEach((i, k) => {
      const { wanted, scores, mask } = scored[k]!;
      const [actor, target] = [edges.lhs[i]!, edges.rhs[i]!];
      const half = mask.length / 2;
      const [uniform, degree] = [unmasked(mask, 0, half), unmasked(mask, half)];
      // Without a candidate every model would be right.
      if (uniform === 0 || degree === 0) return;
      const of = [
        ...bothRanks(wanted, scores, mask),
        ...bothRanks(popularity[target]!, this.#counts, mask),
        ...bothRanks(recent.of(target), this.#recents, mask),
        ...(this.#eventsOf(actor) <= this.#eventsOf(target)
          ? bothRanks(start.asActor(target), this.#started, mask)
          : bothRanks(start.asTarget(actor), scores, mask)),
      ];
      all.set([...of, uniform, degree], i * WIDTH);
    });
  }

  /** Draws a random start, and scores the candidates with it as the actor. Gives the scores of targets, as either end. */
  #start(relation: number) {
    const { model, initScale } = this.#parts.settings;
    const scorer = SCORERS[model.scorer];
    const vector = (row: number) => this.#parts.vector(row);
    const score = (anchor: Float64Array, candidate: Float64Array) =>
      scorer.score(anchor, candidate, model.beta);
    const moved = (vector: ArrayLike<number>, by: ArrayLike<number>) =>
      Float64Array.from(vector, (value, k) => value + by[k]!);
    const forward = Float64Array.from(vector(2 * relation));
    const start = forward.map(() => (2 * this.#starts.uniform() - 1) * initScale);
    const actor = moved(start, forward);
    const ofActor = (row: number) => score(actor, Float64Array.from(vector(row)));
    const candidates = this.#candidates;
    for (let k = 0; k < candidates.length; k++) this.#started[k] = ofActor(candidates[k]!);
    return {
      asActor: ofActor,
      asTarget: (lhs: number) => score(moved(vector(lhs), forward), start),
    };
  }

  /** False where there is nothing to draw from. */
  #draw(relation: number): boolean {
    const candidates = this.#candidates;
    const { settings, types } = this.#parts;
    const { rhsType } = settings.relations[relation]!;
    const degrees = this.#degrees[relation]!;
    if (types.count(rhsType) === 0 || degrees.total === 0) return false;
    const half = candidates.length / 2;
    types.draw(rhsType, this.#random, candidates.subarray(0, half));
    degrees.find(this.#random.integers(degrees.total, new Int32Array(half)), candidates.subarray(half));
    return true;
  }
}

/** The rank of a value among the uniform candidates, and among those by degree. */
function bothRanks(wanted: number, values: ArrayLike<number>, mask: Uint8Array): [number, number] {
  const half = mask.length / 2;
  return [rankAmong(wanted, values, mask, 0, half), rankAmong(wanted, values, mask, half, mask.length)];
}

/** Whole numbers from `first` to before `end`. */
function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
