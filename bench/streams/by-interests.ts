import { RECALL_AT } from '../../src/evaluation/ranked-list.ts';
import type { Space } from '../../src/evaluation/space.ts';
import type { Recommender } from '../../src/evaluation/stream/recommender.ts';
import type { Pair, Scope, Split } from '../../src/evaluation/stream/split.ts';
import { MAX_QUERIES } from '../../src/kernels/scan/layout.ts';
import { Scanner } from '../../src/kernels/scan/scanner.ts';
import { ScanTable } from '../../src/kernels/scan/table.ts';
import type { Random } from '../../src/sampling/random.ts';
import { interleave, KMeans, mixtureOf, NEWEST_TARGETS } from '../../src/serve/interests.ts';

/** Places of a list that are in order; whatever comes after them is equally bad. */
const PLACES = 2 * Math.max(...RECALL_AT);
/** Steps of k-means before other work gets its turn. */
const STEPS = 16;

/** The candidates of a pair, as served lists are made of them: row k of the table is candidate k. */
interface Catalogue {
  readonly table: ScanTable;
  readonly scanner: Scanner;
  readonly centroids: readonly Float64Array[];
  /** By user: the live edges, the oldest event first. */
  readonly edges: ReadonlyMap<number, readonly { readonly item: number; readonly relation: number }[]>;
}

/** The catalogues of all pairs of a split. rows: [entities] row of each entity in the space, or -1. */
export async function catalogues(
  split: Split,
  space: Space,
  rows: Int32Array,
  random: Random,
  turn: () => Promise<void>,
): Promise<ReadonlyMap<Pair, Catalogue>> {
  const found = new Map<Pair, Catalogue>();
  for (const pair of new Set(split.scopes.map(({ pair }) => pair))) {
    const { length } = pair.candidates;
    const table = new ScanTable({ dim: space.model.dim, maxRows: length, scanners: 1 });
    pair.candidates.forEach((entity, item) => {
      if (rows[entity]! >= 0) table.write(item, space.table.vector(rows[entity]!));
    });
    const points = Array.from({ length: Math.min(length, KMeans.mostPoints) }, () => random.below(length))
      .filter((item) => table.has(item))
      .map((item) => table.vector(item));
    const kMeans = new KMeans(points, (n) => random.below(n));
    for (let step = 1; !kMeans.done; step++) {
      kMeans.step();
      if (step % STEPS === 0) await turn();
    }
    const { lhs, item, relation } = pair.live;
    const edges = Map.groupBy(lhs.keys(), (i) => lhs[i]!);
    found.set(pair, {
      table,
      scanner: new Scanner(table, space.model.scorer, 'wasm-plain'),
      centroids: kMeans.centroids,
      edges: new Map(
        [...edges].map(([user, own]) => [user, own.map((i) => ({ item: item[i]!, relation: relation[i]! }))]),
      ),
    });
  }
  return found;
}

/**
 * By several interests of a user, each of which has its share of the list; made as served lists are. Only the first places
 * are told apart. A user without a target gets the list of another recommender.
 */
export class ByInterests implements Recommender {
  readonly #catalogues: ReadonlyMap<Pair, Catalogue>;
  readonly #otherwise: Recommender;

  constructor(of: ReadonlyMap<Pair, Catalogue>, otherwise: Recommender) {
    this.#catalogues = of;
    this.#otherwise = otherwise;
  }

  score(users: readonly number[], scope: Scope, out: Float64Array): void {
    const { length } = scope.pair.candidates;
    users.forEach((user, i) => {
      this.#score(user, scope, out.subarray(i * length, (i + 1) * length));
    });
  }

  #score(user: number, scope: Scope, out: Float64Array): void {
    const catalogue = this.#catalogues.get(scope.pair);
    const live = (catalogue?.edges.get(user) ?? []).filter(({ relation }) =>
      scope.relations.includes(relation),
    );
    // A target of two relations is as new as its last edge.
    const own = [...new Set(live.map(({ item }) => item).reverse())].reverse();
    const targets = own
      .filter((item) => catalogue?.table.has(item))
      .slice(-NEWEST_TARGETS)
      .flatMap((item) => catalogue?.table.vector(item) ?? []);
    if (catalogue === undefined || targets.length === 0) {
      this.#otherwise.score([user], scope, out);
      return;
    }
    const interests = mixtureOf(targets, catalogue.centroids);
    const lists: number[][] = [];
    for (let i = 0; i < interests.length; i += MAX_QUERIES) {
      const queries = interests.slice(i, i + MAX_QUERIES).map(({ vector }) => ({ vector, leftOut: own }));
      lists.push(...catalogue.scanner.top(queries, PLACES).map((list) => list.map(({ row }) => row)));
    }
    out.fill(-PLACES);
    const shares = interests.map(({ share }) => share);
    for (const [place, { item }] of interleave(lists, shares, PLACES).entries()) out[item] = -place;
  }
}
