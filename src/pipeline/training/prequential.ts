import type { Kernel } from '../../model/kernel.ts';
import { SCORERS } from '../../model/scorers.ts';
import { CumulativeCounts } from '../../sampling/cumulative-counts.ts';
import { DecayedCounts } from '../../sampling/decayed-counts.ts';
import type { KnownPositives, MaskTask } from '../../sampling/known-positives.ts';
import { Random } from '../../sampling/random.ts';
import type { TypeRows } from '../../sampling/type-rows.ts';
import type { PrequentialSettings, RankedEdges, TrainBatch, TrainerSettings, Triples } from './trainer.ts';

/** The ways of ranking, in the order of their columns in {@link RankedEdges.ranks}. */
export const RANKED_BY = ['vectors', 'popularity', 'recent', 'start'] as const;

/** Edges of one relation that share their candidates: one matrix product gives their scores. */
export const BLOCK = 64;
/** Values of an edge in {@link RankedEdges.ranks}. */
const WIDTH = 10;

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
  readonly #relations: TrainerSettings['relations'];
  readonly #kernel: Pick<Kernel, 'scoreMatrix'>;
  readonly #known: KnownPositives;
  readonly #types: TypeRows;
  readonly #trained: Uint8Array;
  readonly #random: Random;
  /** Of random starts alone, so that candidates are the same with and without them. */
  readonly #starts: Random;
  readonly #vector: (row: number) => Float32Array;
  readonly #score: (anchor: Float64Array, candidate: Float64Array) => number;
  readonly #initScale: number;
  readonly #from: number;
  /** By relation: live edges by rhs. */
  readonly #degrees: readonly CumulativeCounts[];
  /** By relation: [maxRows] the same counts, to be read at once. */
  readonly #popularity: readonly Int32Array[];
  readonly #recent: readonly DecayedCounts[];
  /** [maxRows] events learned with the row at either end. */
  readonly #events: Int32Array;
  #learned = 0;
  /** The candidates of both sets, the uniform ones first, and [BLOCK, candidates] which of them are left out. */
  readonly #task: MaskTask;
  readonly #relationRows = new Int32Array(BLOCK);
  /** [BLOCK, candidates] scores of the candidates, and [BLOCK, BLOCK] those of the positives. */
  readonly #scores: Float32Array;
  readonly #wanted = new Float32Array(BLOCK * BLOCK);
  /** [candidates] popularity and recent popularity of the candidates. */
  readonly #counts: Float64Array;
  readonly #recents: Float64Array;
  /** [candidates] scores of a random start with the relation. */
  readonly #started: Float64Array;

  constructor(options: {
    settings: TrainerSettings;
    prequential: PrequentialSettings;
    kernel: Pick<Kernel, 'scoreMatrix'>;
    known: KnownPositives;
    types: TypeRows;
    trained: Uint8Array;
    /** The vector of a row, [dim]; looked at at once. */
    vector: (row: number) => Float32Array;
  }) {
    const { relations, maxRows, model, initScale } = options.settings;
    const { seed, from, candidates, halfLife, before } = options.prequential;
    this.#relations = relations;
    this.#kernel = options.kernel;
    this.#known = options.known;
    this.#types = options.types;
    this.#trained = options.trained;
    this.#random = Random.seeded(seed);
    this.#starts = Random.seeded(seed + 1);
    this.#vector = options.vector;
    const scorer = SCORERS[model.scorer];
    this.#score = (anchor, candidate) => scorer.score(anchor, candidate, model.beta);
    this.#initScale = initScale;
    this.#from = from;
    this.#degrees = relations.map(() => new CumulativeCounts(maxRows));
    this.#popularity = relations.map(() => new Int32Array(maxRows));
    this.#recent = relations.map(() => new DecayedCounts(maxRows, halfLife));
    this.#events = new Int32Array(maxRows);
    const count = 2 * candidates;
    this.#task = {
      side: 'rhs',
      hub: () => Number.POSITIVE_INFINITY,
      edges: BLOCK,
      anchors: new Int32Array(BLOCK),
      relation: new Int32Array(BLOCK),
      positives: new Int32Array(BLOCK),
      count,
      candidates: new Int32Array(count),
      mask: new Uint8Array(BLOCK * count),
      stride: count,
    };
    this.#scores = new Float32Array(BLOCK * count);
    this.#counts = new Float64Array(count);
    this.#recents = new Float64Array(count);
    this.#started = new Float64Array(count);
    this.#count(before);
  }

  /** Notes live edges of a stored graph, before the first batch. */
  load(edges: Triples): void {
    this.#change(edges, 1);
  }

  /** Ranks the edges of a batch that is not learned yet, those from edge number `from` of the stream on. */
  rank(edges: Triples): RankedEdges {
    const { lhs, relation, rhs } = edges;
    const first = Math.min(lhs.length, Math.max(0, this.#from - this.#learned));
    const byRelation = Map.groupBy(range(first, lhs.length), (i) => relation[i]!);
    /** [edges, WIDTH] zeros where an edge was not ranked. */
    const all = new Float32Array(lhs.length * WIDTH);
    for (const [of, members] of byRelation) {
      for (let start = 0; start < members.length; start += BLOCK)
        this.#rankBlock(of, edges, members.slice(start, start + BLOCK), all);
    }
    const ranked = range(first, lhs.length).filter((i) => all[i * WIDTH] !== 0);
    return {
      edge: Float64Array.from(ranked, (i) => this.#learned + i),
      lhs: Int32Array.from(ranked, (i) => lhs[i]!),
      relation: Uint8Array.from(ranked, (i) => relation[i]!),
      lhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(lhs[i]!)),
      rhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(rhs[i]!)),
      repeated: Uint8Array.from(ranked, (i) => (this.#known.has(lhs[i]!, relation[i]!, rhs[i]!) ? 1 : 0)),
      ranks: Float32Array.from(ranked.flatMap((i) => [...all.subarray(i * WIDTH, (i + 1) * WIDTH)])),
    };
  }

  /** Notes what a batch did to the edges and the rows. */
  learn({
    edges,
    added,
    removed,
    dropped,
    reset,
  }: Pick<TrainBatch, 'edges' | 'added' | 'removed' | 'dropped' | 'reset'>): void {
    for (const row of [...dropped, ...reset]) this.#events[row] = 0;
    this.#count(edges);
    this.#change(added, 1);
    this.#change(removed, -1);
  }

  #count({ lhs, relation, rhs }: Triples): void {
    for (let i = 0; i < lhs.length; i++) {
      this.#events[lhs[i]!]!++;
      if (lhs[i] !== rhs[i]) this.#events[rhs[i]!]!++;
      for (const recent of this.#recent) recent.tick();
      this.#recent[relation[i]!]!.add(rhs[i]!);
    }
    this.#learned += lhs.length;
  }

  #change({ relation, rhs }: Triples, by: 1 | -1): void {
    for (let i = 0; i < rhs.length; i++) {
      this.#degrees[relation[i]!]!.add(rhs[i]!, by);
      this.#popularity[relation[i]!]![rhs[i]!]! += by;
    }
  }

  /** A row that starts again has forgotten its events. */
  #eventsOf(row: number): number {
    return this.#trained[row] === 1 ? this.#events[row]! : 0;
  }

  /** Puts the ranks of the batch's edges `members`, all of one relation, into `all`. */
  #rankBlock(relation: number, { lhs, rhs }: Triples, members: readonly number[], all: Float32Array): void {
    if (!this.#draw(relation)) return;
    const { anchors, positives, candidates, mask, stride } = this.#task;
    const edges = members.length;
    members.forEach((i, k) => {
      anchors[k] = lhs[i]!;
      positives[k] = rhs[i]!;
    });
    this.#task.relation.fill(relation);
    this.#relationRows.fill(2 * relation);
    this.#known.mask({ ...this.#task, edges });
    const asked = [anchors.subarray(0, edges), this.#relationRows.subarray(0, edges)] as const;
    this.#kernel.scoreMatrix(...asked, candidates, this.#scores);
    this.#kernel.scoreMatrix(...asked, positives.subarray(0, edges), this.#wanted);
    const popularity = this.#popularity[relation]!;
    const recent = this.#recent[relation]!;
    for (let k = 0; k < stride; k++) {
      this.#counts[k] = popularity[candidates[k]!]!;
      this.#recents[k] = recent.of(candidates[k]!);
      if (this.#trained[candidates[k]!] === 1) continue;
      for (let e = 0; e < edges; e++) mask[e * stride + k] = 1;
    }
    const start = this.#start(relation);
    members.forEach((i, k) => {
      const skip = mask.subarray(k * stride, (k + 1) * stride);
      const scores = this.#scores.subarray(k * stride, (k + 1) * stride);
      const target = rhs[i]!;
      const [uniform, degree] = [unmasked(skip, 0, stride / 2), unmasked(skip, stride / 2, stride)];
      // Without a candidate every model would be right.
      if (uniform === 0 || degree === 0) return;
      const wanted = this.#wanted[k * edges + k]!;
      const of = [
        ...bothRanks(wanted, scores, skip),
        ...bothRanks(popularity[target]!, this.#counts, skip),
        ...bothRanks(recent.of(target), this.#recents, skip),
        ...(this.#eventsOf(lhs[i]!) <= this.#eventsOf(target)
          ? bothRanks(start.asActor(target), this.#started, skip)
          : bothRanks(start.asTarget(lhs[i]!), scores, skip)),
      ];
      all.set([...of, uniform, degree], i * WIDTH);
    });
  }

  /** Draws a random start, and scores the candidates with it as the actor. Gives the scores of targets, as either end. */
  #start(relation: number) {
    const moved = (vector: ArrayLike<number>, by: ArrayLike<number>) =>
      Float64Array.from(vector, (value, k) => value + by[k]!);
    const forward = Float64Array.from(this.#vector(2 * relation));
    const start = forward.map(() => (2 * this.#starts.uniform() - 1) * this.#initScale);
    const actor = moved(start, forward);
    const ofActor = (row: number) => this.#score(actor, Float64Array.from(this.#vector(row)));
    const { candidates } = this.#task;
    for (let k = 0; k < candidates.length; k++) this.#started[k] = ofActor(candidates[k]!);
    return {
      asActor: ofActor,
      asTarget: (lhs: number) => this.#score(moved(this.#vector(lhs), forward), start),
    };
  }

  /** False where there is nothing to draw from. */
  #draw(relation: number): boolean {
    const { candidates } = this.#task;
    const { rhsType } = this.#relations[relation]!;
    const degrees = this.#degrees[relation]!;
    if (this.#types.count(rhsType) === 0 || degrees.total === 0) return false;
    const half = candidates.length / 2;
    for (let k = 0; k < half; k++) candidates[k] = this.#types.draw(rhsType, this.#random);
    for (let k = half; k < candidates.length; k++)
      candidates[k] = degrees.find(this.#random.below(degrees.total)).row;
    return true;
  }
}

/** The rank of a value among the uniform candidates, and among those by degree. */
function bothRanks(wanted: number, values: ArrayLike<number>, mask: Uint8Array): [number, number] {
  const half = mask.length / 2;
  return [rankAmong(wanted, values, mask, 0, half), rankAmong(wanted, values, mask, half, mask.length)];
}

/**
 * The rank of a value among itself and the unmasked values from `from` to before `end`, 1 for the highest. A tie counts
 * half; a value that is no number ranks last.
 */
function rankAmong(
  wanted: number,
  values: ArrayLike<number>,
  mask: Uint8Array,
  from: number,
  end: number,
): number {
  if (Number.isNaN(wanted)) return 1 + unmasked(mask, from, end);
  let rank = 1;
  for (let k = from; k < end; k++) {
    if (mask[k] !== 0) continue;
    const value = values[k]!;
    if (value > wanted) rank++;
    else if (value === wanted) rank += 0.5;
  }
  return rank;
}

function unmasked(mask: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let k = from; k < end; k++) if (mask[k] === 0) count++;
  return count;
}

/** Whole numbers from `first` to before `end`. */
function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
