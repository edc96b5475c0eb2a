import { DecayedCounts } from '../../sampling/decayed-counts.ts';
import type { Space } from '../space.ts';
import type { EdgeStream } from './edge-stream.ts';
import type { Pair, Scope, Split } from './split.ts';

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
export function byVectors(
  space: Pick<Space, 'rowOf' | 'relationRow' | 'kernel'>,
  { entities, relations: all }: Pick<EdgeStream, 'entities' | 'relations'>,
  split: Split,
): Recommender {
  /** Row of each entity by number in the stream, or -1. */
  const rowOf = Int32Array.from(entities, (key) => space.rowOf(key) ?? -1);
  const pairs = [...new Set(split.scopes.map((scope) => scope.pair))].map((pair) => {
    const candidates = Int32Array.from(pair.candidates, (entity) => rowOf[entity]!);
    return [pair, { candidates, counts: edgesByUser(pair) }] as const;
  });
  const known = new Map(pairs);
  return {
    score: (users, { pair, relations }, out) => {
      const { candidates, counts } = known.get(pair)!;
      const rows = Int32Array.from(users, (user) => rowOf[user]!);
      const weights = users.map((user) => weightsOf(user, counts, relations));
      const scores = new Float32Array(rows.length * candidates.length);
      out.fill(0);
      for (const [i, relation] of relations.entries()) {
        const relationRow = space.relationRow(all[relation]!.name, false);
        const relationRows = rows.map(() => relationRow);
        space.kernel.scoreMatrix(rows, relationRows, candidates, scores);
        for (let user = 0, k = 0; user < rows.length; user++) {
          const weight = weights[user]![i]!;
          for (const end = k + candidates.length; k < end; k++) out[k]! += weight * scores[k]!;
        }
      }
    },
  };
}

/** In place of a user: all of them. */
const ALL = -1;

/** By user: the number of live edges of each relation. */
function edgesByUser({ live: { lhs, relation } }: Pair): Map<number, number[]> {
  const counts = new Map<number, number[]>();
  for (let i = 0; i < lhs.length; i++) {
    for (const user of [lhs[i]!, ALL]) {
      const own = counts.get(user) ?? [];
      own[relation[i]!] = (own[relation[i]!] ?? 0) + 1;
      counts.set(user, own);
    }
  }
  return counts;
}

/** The weight of each of the relations, in their order; they sum to 1. */
function weightsOf(
  user: number,
  edges: ReadonlyMap<number, readonly number[]>,
  relations: readonly number[],
): number[] {
  for (const who of [user, ALL]) {
    const own = edges.get(who);
    const counts = relations.map((relation) => own?.[relation] ?? 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total > 0) return counts.map((count) => count / total);
  }
  // Nothing may be live any more of the relations that were seen.
  return relations.map(() => 1 / relations.length);
}
