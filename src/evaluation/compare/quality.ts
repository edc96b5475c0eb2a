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
export interface QualityFigures {
  readonly edges: number;
  readonly a: RankFigures;
  readonly b: RankFigures;
  /** The same edges ranked by the number of edges of the relation that each candidate has. */
  readonly popularity: RankFigures;
}

export interface Quality {
  readonly all: QualityFigures;
  readonly relations: Readonly<Record<string, QualityFigures>>;
  /** MRR of B minus MRR of A, edge by edge: mean, and standard error of the mean. */
  readonly difference: { readonly mrr: number; readonly standardError: number };
}

type Way = 'a' | 'b' | 'popularity';

/** An edge with the ranks of its ends, by each way of ranking. */
type EdgeRanks = Readonly<Record<Way, number[]>> & { readonly relation: string };

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
    const ranks: EdgeRanks = { relation: edge.relation, a: [], b: [], popularity: [] };
    for (const end of ENDS) {
      const wanted = edge[end];
      const anchor = otherEnd(end);
      const positives = known(anchor, edge.relation, edge[anchor]).others;
      const others = (candidates.get(typeOf(wanted)) ?? []).filter(
        (key) => key !== wanted && !positives.has(key),
      );
      // Without candidates any model is right.
      if (others.length === 0) continue;
      const degreeOf = (key: EntityKey) => known(end, edge.relation, key).edges;
      ranks.popularity.push(rankAmong(degreeOf(wanted), others.map(degreeOf), new Uint8Array(others.length)));
      ranks.a.push(a(edge, end, others));
      ranks.b.push(b(edge, end, others));
    }
    if (ranks.a.length > 0) ranked.push(ranks);
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

const reciprocal = (rank: number) => 1 / rank;

function figuresOf(edges: readonly EdgeRanks[]): QualityFigures {
  const of = (way: Way): RankFigures => {
    // Of each edge, the mean over its two ends.
    const figure = (value: (rank: number) => number) => mean(edges.map((each) => mean(each[way].map(value))));
    return {
      mrr: figure(reciprocal),
      hits10: figure((rank) => (rank <= HIT_RANK ? 1 : 0)),
      meanRank: figure((rank) => rank),
    };
  };
  return { edges: edges.length, a: of('a'), b: of('b'), popularity: of('popularity') };
}

function qualityOf(ranked: readonly EdgeRanks[]): Quality {
  const relations = Map.groupBy(ranked, ({ relation }) => relation);
  const mrr = (ranks: readonly number[]) => mean(ranks.map(reciprocal));
  return {
    all: figuresOf(ranked),
    relations: Object.fromEntries([...relations].map(([name, edges]) => [name, figuresOf(edges)])),
    difference: pairedDifference(ranked.map(({ a, b }) => mrr(b) - mrr(a))),
  };
}

/** The mean of differences and its standard error, which is NaN for a single difference. */
function pairedDifference(differences: readonly number[]): { mrr: number; standardError: number } {
  const n = differences.length;
  const mrr = mean(differences);
  const variance = differences.reduce((sum, each) => sum + (each - mrr) ** 2, 0) / (n - 1);
  return { mrr, standardError: Math.sqrt(variance / n) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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

/** Reads the live edges of candidates and held-back ends in both stores. A held-back edge does not count, but its ends are others. */
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
