import { DecayedCounts } from '../../sampling/decayed-counts.ts';
import type { Space } from '../space.ts';
import type { EdgeStream } from './edge-stream.ts';
import type { Pair, Scope, Split } from './split.ts';

/** Scores every candidate of a scope for some users. */
export interface Recommender {
  /** users: by number in the stream; out: [users, candidates] row-major, overwritten; higher is better. */
  score(users: readonly number[], scope: Scope, out: Float64Array): void;
}

/** Scores that are the same for every user. */
function sameForAll(split: Split, scoresOf: (scope: Scope) => Float64Array): Recommender {
  const scores = new Map(split.scopes.map((scope) => [scope, scoresOf(scope)]));
  return {
    score: (users, scope, out) => {
      const own = scores.get(scope)!;
      users.forEach((_, i) => void out.set(own, i * own.length));
    },
  };
}

/** By the number of edges of the scope's relations that are live at the cut. */
export function popularity(split: Split): Recommender {
  return sameForAll(split, ({ pair, relations }) => {
    const counts = new Float64Array(pair.candidates.length);
    const { item, relation } = pair.live;
    for (let i = 0; i < item.length; i++) if (relations.includes(relation[i]!)) counts[item[i]!]!++;
    return counts;
  });
}

/** As popularity, where an edge's weight halves with every `halfLife` events of the stream after it. */
export function recentPopularity(split: Split, halfLife: number): Recommender {
  return sameForAll(split, ({ pair, relations }) => {
    const counts = new DecayedCounts(pair.candidates.length, halfLife);
    const { item, relation, event } = pair.live;
    for (let i = 0, now = 0; i < item.length; i++) {
      for (; now < event[i]!; now++) counts.tick();
      if (relations.includes(relation[i]!)) counts.add(item[i]!);
    }
    return Float64Array.from(pair.candidates, (_, k) => counts.of(k));
  });
}

/**
 * By the vectors: the score of user and relation against each candidate. With several relations, the mean of their
 * scores, each weighted by the user's own number of live edges of the relation; a user without any takes the numbers of
 * all users. Scores of one model are on one scale, whatever the relation.
 */
export class ByVectors implements Recommender {
  readonly #space: Pick<Space, 'relationRow' | 'kernel'>;
  /** [entities] row of each entity by number in the stream, or -1. */
  readonly #rows: Int32Array;
  readonly #relations: EdgeStream['relations'];
  /** By pair: rows of its candidates, and by user the live edges of each relation. */
  readonly #pairs = new Map<
    Pair,
    { readonly candidates: Int32Array; readonly counts: Map<number, number[]> }
  >();

  constructor(
    space: Pick<Space, 'rowOf' | 'relationRow' | 'kernel'>,
    { entities, relations }: Pick<EdgeStream, 'entities' | 'relations'>,
    split: Split,
  ) {
    this.#space = space;
    this.#rows = Int32Array.from(entities, (key) => space.rowOf(key) ?? -1);
    this.#relations = relations;
    for (const pair of new Set(split.scopes.map((scope) => scope.pair))) {
      const counts = new Map<number, number[]>();
      const { lhs, relation } = pair.live;
      for (let i = 0; i < lhs.length; i++) {
        for (const user of [lhs[i]!, ALL]) {
          const own = counts.get(user) ?? [];
          own[relation[i]!] = (own[relation[i]!] ?? 0) + 1;
          counts.set(user, own);
        }
      }
      const candidates = Int32Array.from(pair.candidates, (entity) => this.#rows[entity]!);
      this.#pairs.set(pair, { candidates, counts });
    }
  }

  score(users: readonly number[], scope: Scope, out: Float64Array): void {
    const { candidates } = this.#pairs.get(scope.pair)!;
    const rows = Int32Array.from(users, (user) => this.#rows[user]!);
    const weights = users.map((user) => this.#weights(user, scope));
    const scores = new Float32Array(rows.length * candidates.length);
    out.fill(0);
    for (const [i, relation] of scope.relations.entries()) {
      const relationRow = this.#space.relationRow(this.#relations[relation]!.name, false);
      this.#space.kernel.scoreMatrix(
        rows,
        rows.map(() => relationRow),
        candidates,
        scores,
      );
      for (let user = 0, k = 0; user < rows.length; user++) {
        const weight = weights[user]![i]!;
        for (const end = k + candidates.length; k < end; k++) out[k]! += weight * scores[k]!;
      }
    }
  }

  /** The weight of each relation of the scope, in its order; they sum to 1. */
  #weights(user: number, { pair, relations }: Scope): number[] {
    for (const who of [user, ALL]) {
      const own = this.#pairs.get(pair)!.counts.get(who);
      const counts = relations.map((relation) => own?.[relation] ?? 0);
      const total = counts.reduce((sum, count) => sum + count, 0);
      if (total > 0) return counts.map((count) => count / total);
    }
    // Nothing may be live any more of the relations that were seen.
    return relations.map(() => 1 / relations.length);
  }
}

/** In place of a user: all of them. */
const ALL = -1;
