import type { Random } from '../../sampling/random.ts';
import type { Recommender } from './recommender.ts';
import type { Scope, Split } from './split.ts';

/** Neighbours that are looked at in a list; a longer list is sampled once, and what it gives is scaled up. */
const MOST_NEIGHBOURS = 500;

/**
 * Common neighbours: item-kNN by cosine. A candidate's score is the sum, over the user's items, of the cosine between
 * the item's users and the candidate's users: |U_i ∩ U_t| / √(|U_i| · |U_t|). No training and no vectors; a user without
 * an item gets zeros. Exact up to `most` users of an item and items of a user; a longer list is sampled, so that a hub
 * costs no more than that.
 * Source: Deshpande and Karypis 2004, "Item-based top-N recommendation algorithms".
 */
export function commonNeighbours(split: Split, random: Random, most = MOST_NEIGHBOURS): Recommender {
  const known = new Map(split.scopes.map((scope) => [scope, listsOf(scope, random, most)]));
  return {
    score: (asked, scope, out) => {
      out.fill(0);
      const { length } = scope.pair.candidates;
      const lists = known.get(scope)!;
      for (const [i, user] of asked.entries()) score(lists, user, out.subarray(i * length, (i + 1) * length));
    },
  };
}

function listsOf({ relations, pair }: Scope, random: Random, most: number) {
  const { lhs, item, relation } = pair.live;
  const of = [...lhs.keys()].filter((i) => relations.includes(relation[i]!));
  // A pair of two relations is one edge, at the place of its first.
  const edges = [...new Map(of.map((i) => [`${lhs[i]},${item[i]}`, i])).values()];
  const lists = (from: ArrayLike<number>, to: ArrayLike<number>) => {
    const ends = [...Map.groupBy(edges, (i) => from[i]!)];
    const of = (own: readonly number[]) => own.map((i) => to[i]!);
    return new Map(ends.map(([end, own]) => [end, sampled(of(own), random, most)]));
  };
  return { items: lists(lhs, item), users: lists(item, lhs) };
}

function score({ items, users }: ReturnType<typeof listsOf>, user: number, out: Float64Array): void {
  const own = items.get(user) ?? NONE;
  for (const item of own.sample) {
    const others = users.get(item) ?? NONE;
    const weight = (own.scale * others.scale) / Math.sqrt(others.count);
    for (const other of others.sample) {
      const theirs = items.get(other) ?? NONE;
      for (const candidate of theirs.sample) out[candidate]! += weight * theirs.scale;
    }
  }
  for (let k = 0; k < out.length; k++) if (out[k]! > 0) out[k]! /= Math.sqrt(users.get(k)!.count);
}

interface List {
  readonly sample: Int32Array;
  /** Length of the whole list. */
  readonly count: number;
  /** Length of the whole list over that of the sample. */
  readonly scale: number;
}

const NONE: List = { sample: new Int32Array(), count: 0, scale: 1 };

function sampled(list: number[], random: Random, most: number): List {
  const count = list.length;
  const size = Math.min(count, most);
  for (let i = 0; i < size && size < count; i++) {
    const other = i + random.below(count - i);
    [list[i], list[other]] = [list[other]!, list[i]!];
  }
  return { sample: Int32Array.from(list.slice(0, size)), count, scale: count / size };
}
