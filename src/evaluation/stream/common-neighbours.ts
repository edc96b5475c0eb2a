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
export class CommonNeighbours implements Recommender {
  readonly #lists = new Map<Scope, { readonly items: Lists; readonly users: Lists }>();

  constructor(split: Split, random: Random, most = MOST_NEIGHBOURS) {
    for (const scope of split.scopes) {
      const { relations, pair } = scope;
      const { lhs, item, relation } = pair.live;
      const of = [...lhs.keys()].filter((i) => relations.includes(relation[i]!));
      // A pair of two relations is one edge, at the place of its first.
      const edges = [...new Map(of.map((i) => [`${lhs[i]},${item[i]}`, i])).values()];
      const lists = (from: ArrayLike<number>, to: ArrayLike<number>) =>
        new Map(
          [...Map.groupBy(edges, (i) => from[i]!)].map(([end, own]) => [
            end,
            sampled(
              own.map((i) => to[i]!),
              random,
              most,
            ),
          ]),
        );
      this.#lists.set(scope, { items: lists(lhs, item), users: lists(item, lhs) });
    }
  }

  score(asked: readonly number[], scope: Scope, out: Float64Array): void {
    out.fill(0);
    const { length } = scope.pair.candidates;
    asked.forEach((user, i) => {
      this.#score(user, scope, out.subarray(i * length, (i + 1) * length));
    });
  }

  #score(user: number, scope: Scope, out: Float64Array): void {
    const { items, users } = this.#lists.get(scope)!;
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
}

interface List {
  readonly sample: Int32Array;
  /** Length of the whole list. */
  readonly count: number;
  /** Length of the whole list over that of the sample. */
  readonly scale: number;
}

type Lists = ReadonlyMap<number, List>;

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
