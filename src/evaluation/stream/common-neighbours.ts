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
      const pairs = new Map<string, readonly [number, number]>();
      const { lhs, item, relation } = pair.live;
      for (let i = 0; i < lhs.length; i++) {
        if (relations.includes(relation[i]!)) pairs.set(`${lhs[i]},${item[i]}`, [lhs[i]!, item[i]!]);
      }
      const edges = [...pairs.values()];
      this.#lists.set(scope, {
        items: new Lists(edges, random, most),
        users: new Lists(
          edges.map(([user, of]) => [of, user]),
          random,
          most,
        ),
      });
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
    const lists = this.#lists.get(scope);
    if (lists === undefined) return;
    const { items, users } = lists;
    const own = items.of(user);
    for (const item of own.sample) {
      const others = users.of(item);
      const weight = (own.scale * others.scale) / Math.sqrt(others.count);
      for (const other of others.sample) {
        const theirs = items.of(other);
        for (const candidate of theirs.sample) out[candidate]! += weight * theirs.scale;
      }
    }
    for (let k = 0; k < out.length; k++) if (out[k]! > 0) out[k]! /= Math.sqrt(users.of(k).count);
  }
}

interface List {
  readonly sample: Int32Array;
  /** Length of the whole list. */
  readonly count: number;
  /** Length of the whole list over that of the sample. */
  readonly scale: number;
}

const NONE: List = { sample: new Int32Array(), count: 0, scale: 1 };

/** The second ends of edges by their first end. */
class Lists {
  readonly #lists: ReadonlyMap<number, List>;

  constructor(edges: readonly (readonly [number, number])[], random: Random, most: number) {
    const whole = new Map<number, number[]>();
    for (const [from, to] of edges) {
      const list = whole.get(from);
      if (list === undefined) whole.set(from, [to]);
      else list.push(to);
    }
    this.#lists = new Map([...whole].map(([from, list]) => [from, sampled(list, random, most)]));
  }

  of(from: number): List {
    return this.#lists.get(from) ?? NONE;
  }
}

function sampled(list: number[], random: Random, most: number): List {
  const count = list.length;
  const size = Math.min(count, most);
  for (let i = 0; i < size && size < count; i++) {
    const other = i + random.below(count - i);
    [list[i], list[other]] = [list[other]!, list[i]!];
  }
  return { sample: Int32Array.from(list.slice(0, size)), count, scale: count / size };
}
