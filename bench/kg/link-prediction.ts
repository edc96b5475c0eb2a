import { Ranking } from '../../src/evaluation/ranking.ts';
import type { Space } from '../../src/evaluation/space.ts';
import { ENTITY_TYPE, keyOf, relationName } from './triple-log.ts';
import type { IndexedTriples, KnowledgeGraph } from './triples.ts';

/** How well answers rank. Higher is better, but for the mean rank. */
export interface RankFigures {
  readonly questions: number;
  readonly mrr: number;
  readonly hits1: number;
  readonly hits3: number;
  readonly hits10: number;
  readonly meanRank: number;
}

/** Kinds of relations: how many lhs a rhs has, and how many rhs a lhs has. */
export const CATEGORIES = ['1-1', '1-N', 'N-1', 'N-N'] as const;
export type Category = (typeof CATEGORIES)[number];

/** The figures of a set of triples, each asked for both ends. */
export interface LinkPrediction {
  readonly all: RankFigures;
  /** The question `head, relation, ?`, and the question `?, relation, tail`. */
  readonly tails: RankFigures;
  readonly heads: RankFigures;
  readonly byCategory: Readonly<Partial<Record<Category, { tails: RankFigures; heads: RankFigures }>>>;
  readonly byRelation: Readonly<Record<string, RankFigures>>;
  /** By number of the snapshot; of a graph that came in several. All are asked after the last. */
  readonly bySnapshot?: Readonly<Record<string, RankFigures>>;
  /** Triples that ask of an entity, or by a relation, that no training triple has. */
  readonly unseen: { readonly entities: number; readonly relations: number };
}

/** Triples asked between two reports of the progress. */
const SLICE = 256;
/** More answers than this on average make an end "N". Source: Bordes et al. 2013, section 4.3. */
const MANY = 1.5;

/**
 * Filtered link prediction: for each triple, rhs is ranked among all entities from lhs with the forward vector of the
 * relation, and lhs from rhs with its reverse vector. Other known answers of all three parts are left out; a tie counts
 * half. An entity that no training triple has lies at the origin; such a relation has its random start.
 * onProgress: called now and then with the number of triples done.
 * Source of the protocol: Bordes et al. 2013, section 4.1.
 */
export async function predictLinks(
  graph: KnowledgeGraph,
  asked: IndexedTriples,
  space: Space,
  onProgress: (done: number) => Promise<void> | void,
): Promise<LinkPrediction> {
  const rows = Int32Array.from(graph.entities, (_, entity) => space.rowOf(keyOf(entity))!);
  const ranking = new Ranking(space, space.members(ENTITY_TYPE).rows);
  const known = new KnownAnswers(graph, rows);
  const { lhs, relation, rhs } = asked;
  const tails = new Float64Array(lhs.length);
  const heads = new Float64Array(lhs.length);
  for (let first = 0; first < lhs.length; first += SLICE) {
    const slice = Array.from({ length: Math.min(SLICE, lhs.length - first) }, (_, i) => first + i);
    const question = (i: number, end: 'lhs' | 'rhs') => ({
      anchor: rows[end === 'rhs' ? lhs[i]! : rhs[i]!]!,
      relationRow: space.relationRow(relationName(relation[i]!), end === 'lhs'),
      answer: rows[end === 'rhs' ? rhs[i]! : lhs[i]!]!,
      leftOut: known.of(end, end === 'rhs' ? lhs[i]! : rhs[i]!, relation[i]!),
    });
    tails.set(ranking.ranks(slice.map((i) => question(i, 'rhs'))), first);
    heads.set(ranking.ranks(slice.map((i) => question(i, 'lhs'))), first);
    await onProgress(first + slice.length);
  }
  return figuresOf(graph, asked, tails, heads);
}

/** The known answers of a question, as rows, from all three parts of a graph. */
class KnownAnswers {
  readonly #relations: number;
  readonly #answers = { rhs: new Map<number, number[]>(), lhs: new Map<number, number[]>() };

  constructor({ relations, train, valid, test }: KnowledgeGraph, rows: Int32Array) {
    this.#relations = relations.length;
    for (const { lhs, relation, rhs } of [train, valid, test]) {
      for (let i = 0; i < lhs.length; i++) {
        this.#put('rhs', lhs[i]!, relation[i]!, rows[rhs[i]!]!);
        this.#put('lhs', rhs[i]!, relation[i]!, rows[lhs[i]!]!);
      }
    }
  }

  of(end: 'lhs' | 'rhs', anchor: number, relation: number): readonly number[] {
    return this.#answers[end].get(anchor * this.#relations + relation) ?? [];
  }

  #put(end: 'lhs' | 'rhs', anchor: number, relation: number, row: number): void {
    const question = anchor * this.#relations + relation;
    const known = this.#answers[end].get(question);
    if (known === undefined) this.#answers[end].set(question, [row]);
    else known.push(row);
  }
}

function figuresOf(
  graph: KnowledgeGraph,
  asked: IndexedTriples,
  tails: Float64Array,
  heads: Float64Array,
): LinkPrediction {
  const categories = categoriesOf(graph);
  const indices = Array.from(asked.relation, (_, i) => i);
  const figures = (some: readonly number[]) => ({
    tails: rankFigures(some.map((i) => tails[i]!)),
    heads: rankFigures(some.map((i) => heads[i]!)),
  });
  const byCategory = Map.groupBy(indices, (i) => categories[asked.relation[i]!]!);
  const byRelation = Map.groupBy(indices, (i) => asked.relation[i]!);
  const bySnapshot = Map.groupBy(indices, (i) => asked.snapshot[i]!);
  const bothEnds = (some: readonly number[]) => rankFigures(some.flatMap((i) => [tails[i]!, heads[i]!]));
  return {
    all: rankFigures([...tails, ...heads]),
    ...figures(indices),
    byCategory: Object.fromEntries([...byCategory].map(([category, some]) => [category, figures(some)])),
    byRelation: Object.fromEntries(
      [...byRelation].map(([relation, some]) => [graph.relations[relation]!, bothEnds(some)]),
    ),
    ...(graph.snapshots.length > 1 && {
      bySnapshot: Object.fromEntries(
        [...bySnapshot].sort(([a], [b]) => a - b).map(([snapshot, some]) => [snapshot, bothEnds(some)]),
      ),
    }),
    unseen: unseenIn(graph, asked),
  };
}

/** The figures of some ranks. */
export function rankFigures(ranks: readonly number[]): RankFigures {
  let [reciprocal, sum, first, third, tenth] = [0, 0, 0, 0, 0];
  for (const rank of ranks) {
    reciprocal += 1 / rank;
    sum += rank;
    if (rank <= 1) first++;
    if (rank <= 3) third++;
    if (rank <= 10) tenth++;
  }
  const n = ranks.length;
  const share = (value: number) => (n === 0 ? 0 : value / n);
  return {
    questions: n,
    mrr: share(reciprocal),
    hits1: share(first),
    hits3: share(third),
    hits10: share(tenth),
    meanRank: share(sum),
  };
}

/** The category of each relation by its training triples; a relation without any is 1-1. */
function categoriesOf({ relations, train }: KnowledgeGraph): Category[] {
  const ends = relations.map(() => ({ triples: 0, lhs: new Set<number>(), rhs: new Set<number>() }));
  train.relation.forEach((relation, i) => {
    const end = ends[relation]!;
    end.triples++;
    end.lhs.add(train.lhs[i]!);
    end.rhs.add(train.rhs[i]!);
  });
  return ends.map(({ triples, lhs, rhs }) => {
    const manyRhs = triples / Math.max(1, lhs.size) >= MANY;
    const manyLhs = triples / Math.max(1, rhs.size) >= MANY;
    if (manyLhs) return manyRhs ? 'N-N' : 'N-1';
    return manyRhs ? '1-N' : '1-1';
  });
}

function unseenIn({ train }: KnowledgeGraph, asked: IndexedTriples): LinkPrediction['unseen'] {
  const entities = new Set([...train.lhs, ...train.rhs]);
  const relations = new Set(train.relation);
  const count = (of: (i: number) => boolean) => asked.lhs.filter((_, i) => of(i)).length;
  return {
    entities: count((i) => !entities.has(asked.lhs[i]!) || !entities.has(asked.rhs[i]!)),
    relations: count((i) => !relations.has(asked.relation[i]!)),
  };
}
