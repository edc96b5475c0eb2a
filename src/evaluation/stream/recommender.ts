import { DecayedCounts } from '../../sampling/decayed-counts.ts';
import type { Space } from '../space.ts';
import type { EdgeStream } from './edge-stream.ts';
import type { Scope, Split } from './split.ts';

/** Scores every candidate of a scope for one user. */
export interface Recommender {
  /** user: by number in the stream; out: [candidates], overwritten; higher is better. */
  score(user: number, scope: Scope, out: Float64Array): void;
}

/** Scores that are the same for every user. */
export class SameForAll implements Recommender {
  readonly #scores: ReadonlyMap<Scope, Float64Array>;

  constructor(split: Split, scoresOf: (scope: Scope) => Float64Array) {
    this.#scores = new Map(split.scopes.map((scope) => [scope, scoresOf(scope)]));
  }

  score(_: number, scope: Scope, out: Float64Array): void {
    const scores = this.#scores.get(scope);
    if (scores !== undefined) out.set(scores);
  }
}

/** By the number of edges of the scope's relations that are live at the cut. */
export function popularity(split: Split): Recommender {
  return new SameForAll(split, ({ pair, relations }) => {
    const counts = new Float64Array(pair.candidates.length);
    const { item, relation } = pair.live;
    for (let i = 0; i < item.length; i++) if (relations.includes(relation[i]!)) counts[item[i]!]!++;
    return counts;
  });
}

/** As popularity, where an edge's weight halves with every `halfLife` events of the stream after it. */
export function recentPopularity(split: Split, halfLife: number): Recommender {
  return new SameForAll(split, ({ pair, relations }) => {
    const counts = new DecayedCounts(pair.candidates.length, halfLife);
    const { item, relation, event } = pair.live;
    for (let i = 0, now = 0; i < item.length; i++) {
      for (; now < event[i]!; now++) counts.tick();
      if (relations.includes(relation[i]!)) counts.add(item[i]!);
    }
    return Float64Array.from(pair.candidates, (_, k) => counts.now(k));
  });
}

/** What a trained model is asked. */
export interface Model {
  /** [entities] row of each entity by number in the stream, or -1. */
  readonly rows: Int32Array;
  /** Scores of an entity's row with a relation's forward vector. candidates: [n] rows; out: [n], overwritten. */
  scores(row: number, relation: number, candidates: Int32Array, out: Float32Array): void;
}

/** A space asked about the entities of a stream. */
export function modelOf(space: Space, stream: EdgeStream): Model {
  const relationRows = stream.relations.map(({ name }) => space.relationRow(name, false));
  return {
    rows: Int32Array.from(stream.entities, (key) => space.rowOf(key) ?? -1),
    scores: (row, relation, candidates, out) =>
      space.kernel.scores(row, relationRows[relation]!, candidates, out),
  };
}

/**
 * By the vectors: the score of user and relation against each candidate. With several relations, the mean of their
 * scores, each weighted by the user's own number of live edges of the relation; a user without any takes the numbers of
 * all users. Scores of one model are on one scale, whatever the relation.
 */
export class ByVectors implements Recommender {
  readonly #model: Model;
  /** By pair and user: live edges by relation. */
  readonly #counts = new Map<Scope['pair'], ReadonlyMap<number, Float64Array>>();
  readonly #totals = new Map<Scope['pair'], Float64Array>();
  readonly #candidates = new Map<Scope['pair'], Int32Array>();

  constructor(model: Model, split: Split) {
    this.#model = model;
    for (const { pair } of split.scopes) this.#prepare(pair);
  }

  score(user: number, { pair, relations }: Scope, out: Float64Array): void {
    const candidates = this.#candidates.get(pair) ?? new Int32Array();
    const scores = new Float32Array(candidates.length);
    const row = this.#model.rows[user]!;
    const own = this.#counts.get(pair)?.get(user);
    const all = this.#totals.get(pair) ?? new Float64Array();
    const sumOf = (of: Float64Array) => relations.reduce((sum, relation) => sum + of[relation]!, 0);
    const weights = own !== undefined && sumOf(own) > 0 ? own : all;
    const total = sumOf(weights);
    out.fill(0);
    for (const relation of relations) {
      const weight = relations.length === 1 ? 1 : weights[relation]! / total;
      if (weight === 0) continue;
      this.#model.scores(row, relation, candidates, scores);
      for (let k = 0; k < scores.length; k++) out[k]! += weight * scores[k]!;
    }
  }

  #prepare(pair: Scope['pair']): void {
    if (this.#counts.has(pair)) return;
    const relations = Math.max(...pair.relations) + 1;
    const counts = new Map<number, Float64Array>();
    const totals = new Float64Array(relations);
    const { lhs, relation } = pair.live;
    for (let i = 0; i < lhs.length; i++) {
      const own = counts.get(lhs[i]!) ?? new Float64Array(relations);
      counts.set(lhs[i]!, own);
      own[relation[i]!]!++;
      totals[relation[i]!]!++;
    }
    this.#counts.set(pair, counts);
    this.#totals.set(pair, totals);
    this.#candidates.set(
      pair,
      Int32Array.from(pair.candidates, (entity) => this.#model.rows[entity]!),
    );
  }
}
