import type { Space } from '../../src/evaluation/space.ts';
import { SCORERS } from '../../src/model/scorers.ts';
import { rankAmong } from '../../src/pipeline/training/ranking/ranker.ts';
import { keyOf, relationName } from './triple-log.ts';
import type { IndexedTriples, KnowledgeGraph } from './triples.ts';

/** Columns of how well answers rank. Higher is better, but for the mean rank. */
export const RANKS = ['questions', 'MRR', 'hits@1', 'hits@3', 'hits@10', 'mean rank'] as const;
type RankFigures = Readonly<Record<(typeof RANKS)[number], number>>;

/** Kinds of relations: how many lhs a rhs has, and how many rhs a lhs has. */
const CATEGORIES = ['1-1', '1-N', 'N-1', 'N-N'] as const;
type Category = (typeof CATEGORIES)[number];
/** More answers than this on average make an end "N". Source: Bordes et al. 2013, section 4.3. */
const MANY = 1.5;

/** The figures of a set of triples, each asked for both ends. */
export interface LinkPrediction {
  readonly all: RankFigures;
  /**
   * By name, in this order: `tails`, the question `head, relation, ?`, and `heads`, the question `?, relation, tail`; each snapshot
   * of a graph that came in several, all asked after the last; both questions of each category of relations; each relation, most questions first.
   */
  readonly parts: ReadonlyMap<string, RankFigures>;
  /** Triples that ask of an entity, or by a relation, that no training triple has. */
  readonly unseen: { readonly entities: number; readonly relations: number };
}

/**
 * Filtered link prediction: for each triple, rhs is ranked among all entities from lhs with the forward vector of the
 * relation, and lhs from rhs with its reverse vector. Other known answers of all three parts are left out; a tie counts
 * half. An entity that no training triple has lies at the origin; such a relation has its random start.
 * onProgress: called with the number of triples done.
 * Source of the protocol: Bordes et al. 2013, section 4.1.
 */
export async function predictLinks(
  graph: KnowledgeGraph,
  asked: IndexedTriples,
  space: Space,
  onProgress: (done: number) => Promise<void> | void,
): Promise<LinkPrediction> {
  const rank = rankingIn(graph, space);
  const { lhs, relation, rhs } = asked;
  const tails = new Float64Array(lhs.length);
  const heads = new Float64Array(lhs.length);
  for (let i = 0; i < lhs.length; i++) {
    tails[i] = rank('rhs', lhs[i]!, relation[i]!, rhs[i]!);
    heads[i] = rank('lhs', rhs[i]!, relation[i]!, lhs[i]!);
    await onProgress(i + 1);
  }
  return figuresOf(graph, asked, tails, heads);
}

/**
 * Gives the rank of an entity as this end of an edge from the other end. Scores are float64: by those of the kernels, in float32,
 * vectors that differ would tie.
 */
function rankingIn(graph: KnowledgeGraph, { table, model, rowOf, relationRow }: Space) {
  const vectors = graph.entities.map((_, entity) => table.vector(rowOf(keyOf(entity))!));
  // For L2 the squared distance: the root does not change the order.
  const scorer = SCORERS[model.scorer === 'transe-l2' ? 'transe-l2-squared' : model.scorer];
  const known = knownAnswers(graph);
  return (end: 'lhs' | 'rhs', anchor: number, relation: number, answer: number): number => {
    const move = table.vector(relationRow(relationName(relation), end === 'lhs'));
    const moved = Float64Array.from(vectors[anchor]!, (value, k) => value + move[k]!);
    const scores = vectors.map((vector) => scorer.score(moved, vector, 1));
    const leftOut = new Uint8Array(scores.length);
    for (const entity of known(end, anchor, relation)) leftOut[entity] = 1;
    return rankAmong(scores[answer]!, scores, leftOut);
  };
}

/** The known answers of a question, from all three parts of a graph. */
function knownAnswers({ relations, train, valid, test }: KnowledgeGraph) {
  const answers = { rhs: new Map<number, number[]>(), lhs: new Map<number, number[]>() };
  const of = (end: 'lhs' | 'rhs', anchor: number, relation: number): number[] => {
    const question = anchor * relations.length + relation;
    const known = answers[end].get(question) ?? [];
    if (known.length === 0) answers[end].set(question, known);
    return known;
  };
  for (const { lhs, relation, rhs } of [train, valid, test]) {
    for (let i = 0; i < lhs.length; i++) {
      of('rhs', lhs[i]!, relation[i]!).push(rhs[i]!);
      of('lhs', rhs[i]!, relation[i]!).push(lhs[i]!);
    }
  }
  return of;
}

function figuresOf(
  graph: KnowledgeGraph,
  asked: IndexedTriples,
  tails: Float64Array,
  heads: Float64Array,
): LinkPrediction {
  const parts = new Map([
    ['tails', rankFigures([...tails])],
    ['heads', rankFigures([...heads])],
  ]);
  const groups = <Key>(of: (i: number) => Key) => [...Map.groupBy(asked.relation.keys(), of)];
  const bothEnds = (some: readonly number[]) => rankFigures(some.flatMap((i) => [tails[i]!, heads[i]!]));
  if (graph.snapshots.length > 1) {
    for (const [snapshot, some] of groups((i) => asked.snapshot[i]!).sort(([a], [b]) => a - b))
      parts.set(`snapshot ${snapshot}`, bothEnds(some));
  }
  const categories = categoriesOf(graph);
  const byCategory = new Map(groups((i) => categories[asked.relation[i]!]));
  for (const category of CATEGORIES) {
    const some = byCategory.get(category);
    if (some === undefined) continue;
    parts.set(`${category}, tails`, rankFigures(some.map((i) => tails[i]!)));
    parts.set(`${category}, heads`, rankFigures(some.map((i) => heads[i]!)));
  }
  for (const [relation, some] of groups((i) => asked.relation[i]!).sort(
    ([, a], [, b]) => b.length - a.length,
  ))
    parts.set(graph.relations[relation]!, bothEnds(some));
  return { all: rankFigures([...tails, ...heads]), parts, unseen: unseenIn(graph, asked) };
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

/** The figures of some ranks. */
function rankFigures(ranks: readonly number[]): RankFigures {
  const mean = (of: (rank: number) => number) =>
    ranks.length === 0 ? 0 : ranks.reduce((sum, rank) => sum + of(rank), 0) / ranks.length;
  const within = (most: number) => mean((rank) => (rank <= most ? 1 : 0));
  return {
    questions: ranks.length,
    MRR: mean((rank) => 1 / rank),
    'hits@1': within(1),
    'hits@3': within(3),
    'hits@10': within(10),
    'mean rank': mean((rank) => rank),
  };
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
