import type { EdgeName } from '../../graph/edge.ts';
import { type EntityKey, typeOf } from '../../graph/entity.ts';
import { relationRows } from '../../graph/merged-graph.ts';
import { SCORERS } from '../../model/scorers.ts';
import { HIT_RANK, rankAmong } from '../../pipeline/training/ranking/ranker.ts';
import { scorerNamed } from '../space.ts';
import type { ComparedStore, ComparedStores, OnProgress } from './held-edges.ts';

const PROGRESS_EVERY = 100;
const EDGES_PROGRESS_EVERY = 10_000;

/** How well a model ranks. Higher is better, except for the mean rank. */
export interface RankFigures {
  readonly mrr: number;
  readonly hits10: number;
  readonly meanRank: number;
}

/** Both models on the same edges. */
interface BothModels {
  readonly a: RankFigures;
  readonly b: RankFigures;
  /** The same edges ranked by the number of edges of the relation that each candidate has. */
  readonly popularity: RankFigures;
}

export interface QualityFigures extends BothModels {
  readonly edges: number;
}

export interface Quality {
  readonly all: QualityFigures;
  readonly relations: Readonly<Record<string, QualityFigures>>;
  /** MRR of B minus MRR of A, edge by edge: mean, and standard error of the mean. */
  readonly difference: { readonly mrr: number; readonly standardError: number };
}

/** The figures of an edge, each the mean over its two ends. */
interface EdgeRanks extends BothModels {
  readonly relation: string;
}

/**
 * Ranks both ends of each held-back edge in both models, against the candidates of the end's type that are not known
 * positives; a tie counts half. rhs is ranked from lhs with the relation's forward vector, lhs from rhs with its reverse
 * vector. undefined where there is nothing to rank.
 * candidates: by type, trained in both stores.
 */
export async function compareQuality(
  stores: ComparedStores,
  held: readonly EdgeName[],
  candidates: ReadonlyMap<string, readonly EntityKey[]>,
  onProgress: OnProgress,
): Promise<Quality | undefined> {
  const known = await readKnownEdges(stores, held, new Set([...candidates.values()].flat()), onProgress);
  const a = await rankerOf(stores.a, held, candidates);
  const b = await rankerOf(stores.b, held, candidates);
  const ranked: EdgeRanks[] = [];
  for (const [i, edge] of held.entries()) {
    if (i % PROGRESS_EVERY === 0) onProgress('edges ranked', i);
    const ends = ENDS.flatMap((end) => {
      const wanted = edge[end];
      const anchor = otherEnd(end);
      const positives = known(anchor, edge.relation, edge[anchor]).others;
      const others = (candidates.get(typeOf(wanted)) ?? []).filter(
        (key) => key !== wanted && !positives.has(key),
      );
      // Without candidates any model is right.
      if (others.length === 0) return [];
      const degreeOf = (key: EntityKey) => known(end, edge.relation, key).edges;
      const popularity = rankAmong(degreeOf(wanted), others.map(degreeOf), new Uint8Array(others.length));
      const [ofA, ofB] = [a(edge, end, others), b(edge, end, others)];
      return [{ a: figuresOf(ofA), b: figuresOf(ofB), popularity: figuresOf(popularity) }];
    });
    if (ends.length > 0) ranked.push({ relation: edge.relation, ...meansOf(ends) });
  }
  return ranked.length === 0 ? undefined : qualityOf(ranked);
}

/** The rank of an end of an edge among others, by scores in float64. */
type Ranker = (edge: EdgeName, end: End, others: readonly EntityKey[]) => number;

/** Reads the candidates and the ends of held-back edges of one store. @throws FatalError `store-model`. */
async function rankerOf(
  { store, head, index }: ComparedStore,
  held: readonly EdgeName[],
  candidates: ReadonlyMap<string, readonly EntityKey[]>,
): Promise<Ranker> {
  const { dim, relations } = store.layout;
  const name = scorerNamed(head.model.scorer);
  // The root does not change the order.
  const scorer = SCORERS[name === 'transe-l2' ? 'transe-l2-squared' : name];
  const keys = [
    ...new Set([...held.flatMap(({ lhs, rhs }) => [lhs, rhs]), ...[...candidates.values()].flat()]),
  ];
  const rows = await store.readRows(keys.map((key) => index.find(key)!));
  const vectors = new Map(keys.map((key, i) => [key, rows[i]!.subarray(0, dim)]));
  const moves = await relationRows(store);
  return (edge, end, others) => {
    const forward = 2 * relations.findIndex(({ name: each }) => each === edge.relation);
    const move = moves[forward + (end === 'lhs' ? 1 : 0)]!;
    const anchor = vectors.get(edge[otherEnd(end)])!;
    const moved = Float64Array.from(anchor, (value, k) => value + move[k]!);
    const scoreOf = (key: EntityKey) => scorer.score(moved, vectors.get(key)!, 1);
    return rankAmong(scoreOf(edge[end]), others.map(scoreOf), new Uint8Array(others.length));
  };
}

function figuresOf(rank: number): RankFigures {
  return { mrr: 1 / rank, hits10: rank <= HIT_RANK ? 1 : 0, meanRank: rank };
}

function meanOf(all: readonly RankFigures[]): RankFigures {
  const mean = (of: (figures: RankFigures) => number) =>
    all.reduce((sum, figures) => sum + of(figures), 0) / all.length;
  return {
    mrr: mean(({ mrr }) => mrr),
    hits10: mean(({ hits10 }) => hits10),
    meanRank: mean(({ meanRank }) => meanRank),
  };
}

function meansOf(all: readonly BothModels[]): BothModels {
  return {
    a: meanOf(all.map(({ a }) => a)),
    b: meanOf(all.map(({ b }) => b)),
    popularity: meanOf(all.map(({ popularity }) => popularity)),
  };
}

function qualityOf(ranked: readonly EdgeRanks[]): Quality {
  const figures = (edges: readonly EdgeRanks[]) => ({ edges: edges.length, ...meansOf(edges) });
  const relations = Map.groupBy(ranked, ({ relation }) => relation);
  return {
    all: figures(ranked),
    relations: Object.fromEntries([...relations].map(([name, edges]) => [name, figures(edges)])),
    difference: pairedDifference(ranked.map(({ a, b }) => b.mrr - a.mrr)),
  };
}

/** The mean of differences and its standard error, which is NaN for a single difference. */
function pairedDifference(differences: readonly number[]): { mrr: number; standardError: number } {
  const n = differences.length;
  const mean = differences.reduce((sum, each) => sum + each, 0) / n;
  const variance = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (n - 1);
  return { mrr: mean, standardError: Math.sqrt(variance / n) };
}

const FEWEST_EDGES = 30;
/** Standard errors from 0 for a verdict: 1 in 20 equal stores are taken for different. */
const STANDARD_ERRORS = 2;

/** The store that ranks better; undefined where the figures can't tell. */
export function better(quality: Quality | undefined): 'A' | 'B' | undefined {
  if (quality === undefined || quality.all.edges < FEWEST_EDGES) return undefined;
  const { mrr, standardError } = quality.difference;
  if (Math.abs(mrr) <= STANDARD_ERRORS * standardError) return undefined;
  return mrr > 0 ? 'B' : 'A';
}

/** The verdict in words, with its figures. */
export function verdict(quality: Quality | undefined): string {
  if (quality === undefined) return 'Which is better can not be told: no new edge was ranked.';
  const winner = better(quality);
  const { all, difference } = quality;
  const [first, second] = winner === 'A' ? [all.a, all.b] : [all.b, all.a];
  const lead = winner === 'A' ? -difference.mrr : difference.mrr;
  const figures =
    `MRR ${first.mrr.toFixed(3)} against ${second.mrr.toFixed(3)}, ` +
    `${lead < 0 ? '' : '+'}${lead.toFixed(4)} ± ${difference.standardError.toFixed(4)} ` +
    `(standard error; ${all.edges.toLocaleString('en-US')} edges)`;
  if (winner !== undefined) return `${winner} is better: ${figures}.`;
  const why =
    all.edges < FEWEST_EDGES ? 'Too few edges to tell which is better' : 'No difference can be told';
  return `${why}: B has ${figures}.`;
}

const ENDS = ['lhs', 'rhs'] as const;
type End = (typeof ENDS)[number];

/** The live edges of a relation that have an entity at one end: how many, and the candidates at their other ends. */
interface EdgesAt {
  edges: number;
  readonly others: Set<EntityKey>;
}

/**
 * Reads the live edges of the candidates and of the ends of held-back edges in both stores. A held-back edge does not count, but
 * its ends are among the others.
 */
async function readKnownEdges(
  stores: ComparedStores,
  held: readonly EdgeName[],
  candidates: ReadonlySet<EntityKey>,
  onProgress: OnProgress,
) {
  const known = new Map<string, EdgesAt>();
  const at = (end: End, relation: string, entity: EntityKey) => {
    const name = `${end}\n${relation}\n${entity}`;
    const found = known.get(name) ?? { edges: 0, others: new Set() };
    known.set(name, found);
    return found;
  };
  const put = (end: End, edge: EdgeName) => {
    const found = at(end, edge.relation, edge[end]);
    const other = edge[otherEnd(end)];
    if (candidates.has(other)) found.others.add(other);
    return found;
  };
  for (const edge of held) for (const end of ENDS) put(end, edge);
  const entities = candidates.union(new Set(held.flatMap(({ lhs, rhs }) => [lhs, rhs])));
  let seen = 0;
  for (const { store } of [stores.a, stores.b]) {
    for (const entity of entities) {
      for await (const edge of store.edgesOf(entity)) {
        if (edge.removed) continue;
        put(edge.direction === 'out' ? 'lhs' : 'rhs', edge).edges++;
        if (++seen % EDGES_PROGRESS_EVERY === 0) onProgress('edges', seen);
      }
    }
  }
  return at;
}

function otherEnd(end: End): End {
  return end === 'lhs' ? 'rhs' : 'lhs';
}
