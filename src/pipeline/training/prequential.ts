import type { Kernel } from '../../model/kernel.ts';
import { CumulativeCounts } from '../../sampling/cumulative-counts.ts';
import { DecayedCounts } from '../../sampling/decayed-counts.ts';
import type { KnownPositives, MaskTask } from '../../sampling/known-positives.ts';
import { Random } from '../../sampling/random.ts';
import type { TypeRows } from '../../sampling/type-rows.ts';
import { rankIn } from './evaluate.ts';
import type { PrequentialSettings, RankedEdges, TrainBatch, TrainerSettings, Triples } from './trainer.ts';

/** Where the columns of a ranked edge are: by the vectors, by popularity, by recent popularity. */
export const RANKED_BY = ['vectors', 'popularity', 'recent'] as const;

/**
 * Ranks each edge of a stream before it is learned, and reports the edges one by one: rhs among candidates drawn
 * uniformly from its type, and among candidates drawn in proportion to degree (the rhs of a uniformly drawn live edge of
 * the relation). Known positives of lhs and relation are left out, and so are rows that no batch has trained. Beside the
 * vectors, the same candidates are ranked by in-degree in the relation and by a decayed in-degree; a tie counts half.
 * Everything is as of the end of the batch before. The draws come from a random source of its own, so that ranking
 * changes nothing of the training.
 */
export class Prequential {
  readonly #relations: TrainerSettings['relations'];
  readonly #kernel: Kernel;
  readonly #known: KnownPositives;
  readonly #types: TypeRows;
  readonly #trained: Uint8Array;
  readonly #random: Random;
  readonly #candidates: number;
  /** By relation: live edges by rhs. */
  readonly #degrees: readonly CumulativeCounts[];
  /** By relation: [maxRows] the same counts, to be read at once. */
  readonly #popularity: readonly Int32Array[];
  readonly #recent: readonly DecayedCounts[];
  /** [maxRows] events learned with the row at either end. */
  readonly #events: Int32Array;
  readonly #from: number;
  #learned = 0;
  /** One edge to mask; candidate 0 is the positive, then uniform ones, then those by degree. */
  readonly #task: MaskTask;
  readonly #values: Float64Array;
  readonly #scores: Float32Array;

  constructor(options: {
    settings: TrainerSettings;
    prequential: PrequentialSettings;
    kernel: Kernel;
    known: KnownPositives;
    types: TypeRows;
    trained: Uint8Array;
  }) {
    const { relations, maxRows } = options.settings;
    const { seed, from, candidates, halfLife, before } = options.prequential;
    this.#relations = relations;
    this.#kernel = options.kernel;
    this.#known = options.known;
    this.#types = options.types;
    this.#trained = options.trained;
    this.#random = Random.seeded(seed);
    this.#candidates = candidates;
    this.#from = from;
    this.#degrees = relations.map(() => new CumulativeCounts(maxRows));
    this.#popularity = relations.map(() => new Int32Array(maxRows));
    this.#recent = relations.map(() => new DecayedCounts(maxRows, halfLife));
    this.#events = new Int32Array(maxRows);
    const stride = 1 + 2 * candidates;
    this.#task = {
      side: 'rhs',
      hub: Number.POSITIVE_INFINITY,
      edges: 1,
      anchors: new Int32Array(1),
      relation: new Int32Array(1),
      positives: new Int32Array(1),
      count: stride,
      candidates: new Int32Array(stride),
      mask: new Uint8Array(stride),
      stride,
    };
    this.#values = new Float64Array(stride);
    this.#scores = new Float32Array(stride);
    this.#count(before);
  }

  /** Notes live edges of a stored graph, before the first batch. */
  load(edges: Triples): void {
    this.#change(edges, 1);
  }

  /** Ranks the edges of a batch that is not learned yet, those from edge number `from` of the stream on. */
  rank({ lhs, relation, rhs }: Triples): RankedEdges {
    const first = Math.min(lhs.length, Math.max(0, this.#from - this.#learned));
    const ranked: number[] = [];
    const ranks: number[] = [];
    for (let i = first; i < lhs.length; i++) {
      const of = this.#ranksOf(lhs[i]!, relation[i]!, rhs[i]!);
      if (of === undefined) continue;
      ranked.push(i);
      ranks.push(...of);
    }
    return {
      edge: Float64Array.from(ranked, (i) => this.#learned + i),
      lhs: Int32Array.from(ranked, (i) => lhs[i]!),
      relation: Uint8Array.from(ranked, (i) => relation[i]!),
      lhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(lhs[i]!)),
      rhsEvents: Int32Array.from(ranked, (i) => this.#eventsOf(rhs[i]!)),
      repeated: Uint8Array.from(ranked, (i) => (this.#known.has(lhs[i]!, relation[i]!, rhs[i]!) ? 1 : 0)),
      ranks: Float32Array.from(ranks),
    };
  }

  /** Notes what a batch did to the edges and the rows. */
  learn({ edges, added, removed, dropped, reset }: TrainBatch): void {
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

  /** [8] see {@link RankedEdges.ranks}; undefined where one of the two sets has no candidate left. */
  #ranksOf(lhs: number, relation: number, rhs: number): readonly number[] | undefined {
    const task = this.#task;
    const { candidates, mask } = task;
    if (!this.#draw(relation, rhs)) return undefined;
    task.anchors[0] = lhs;
    task.relation[0] = relation;
    task.positives[0] = rhs;
    this.#known.mask(task);
    for (let k = 1; k < candidates.length; k++) if (this.#trained[candidates[k]!] === 0) mask[k] = 1;
    const sets = [
      { from: 1, end: 1 + this.#candidates },
      { from: 1 + this.#candidates, end: 1 + 2 * this.#candidates },
    ] as const;
    const counts = sets.map(({ from, end }) => unmasked(mask, from, end));
    if (counts.some((count) => count === 0)) return undefined;
    this.#kernel.scores(lhs, 2 * relation, candidates, this.#scores);
    const popularity = this.#popularity[relation]!;
    const recent = this.#recent[relation]!;
    const byVectors = sets.map(({ from, end }) => rankIn(this.#scores, mask, from, end));
    this.#fill((row) => popularity[row]!);
    const byPopularity = sets.map(({ from, end }) => rankIn(this.#values, mask, from, end));
    this.#fill((row) => recent.of(row));
    const byRecent = sets.map(({ from, end }) => rankIn(this.#values, mask, from, end));
    return [...byVectors, ...byPopularity, ...byRecent, ...counts];
  }

  #fill(countOf: (row: number) => number): void {
    const { candidates } = this.#task;
    for (let k = 0; k < candidates.length; k++) this.#values[k] = countOf(candidates[k]!);
  }

  /** False where there is nothing to draw from. */
  #draw(relation: number, rhs: number): boolean {
    const { candidates } = this.#task;
    const { rhsType } = this.#relations[relation]!;
    const degrees = this.#degrees[relation]!;
    if (this.#types.count(rhsType) === 0 || degrees.total === 0) return false;
    candidates[0] = rhs;
    const half = 1 + this.#candidates;
    for (let k = 1; k < half; k++) candidates[k] = this.#types.draw(rhsType, this.#random);
    for (let k = half; k < candidates.length; k++)
      candidates[k] = degrees.find(this.#random.below(degrees.total)).row;
    return true;
  }
}

function unmasked(mask: Uint8Array, from: number, end: number): number {
  let count = 0;
  for (let k = from; k < end; k++) if (mask[k] === 0) count++;
  return count;
}
