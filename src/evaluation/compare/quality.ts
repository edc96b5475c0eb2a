import type { EdgeName } from '../../graph/edge.ts';
import { type EntityKey, typeOf } from '../../graph/entity.ts';
import { HIT_RANK, rankAmong } from '../../pipeline/training/ranker.ts';
import { Ranking } from '../ranking.ts';
import { Space } from '../space.ts';
import type { CommonEntity, ComparedStore, ComparedStores, HeldEdge, OnProgress } from './held-edges.ts';

const PROGRESS_EVERY = 100;

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

/** Ranks of an edge, each the mean over its two ends. */
interface EdgeRanks {
  readonly relation: string;
  readonly a: RankFigures;
  readonly b: RankFigures;
  readonly popularity: RankFigures;
}

/**
 * Ranks both ends of each held-back edge in both models, against the candidates of the end's type that are not known
 * positives; a tie counts half. rhs is ranked from lhs with the relation's forward vector, lhs from rhs with its reverse
 * vector. undefined where there is nothing to rank.
 * candidates: by type, trained in both stores.
 */
export async function compareQuality(
  stores: ComparedStores,
  held: readonly HeldEdge[],
  candidates: ReadonlyMap<string, readonly CommonEntity[]>,
  known: KnownEdges,
  onProgress: OnProgress,
): Promise<Quality | undefined> {
  const a = await rankerOf(stores.a, held, candidates, ({ rowA }) => rowA);
  const b = await rankerOf(stores.b, held, candidates, ({ rowB }) => rowB);
  const ranked: EdgeRanks[] = [];
  for (const [i, edge] of held.entries()) {
    if (i % PROGRESS_EVERY === 0) onProgress('edges ranked', i);
    const ends = (['lhs', 'rhs'] as const).flatMap((end) => {
      const wanted = edge[end];
      const positives = known.positives(end, edge);
      const others = (candidates.get(typeOf(wanted)) ?? [])
        .map(({ key }) => key)
        .filter((key) => key !== wanted && !positives.has(key));
      // Without candidates any model is right.
      if (others.length === 0) return [];
      const degreeOf = (key: EntityKey) => known.degree(end, edge.relation, key);
      const popularity = rankAmong(degreeOf(wanted), others.map(degreeOf), new Uint8Array(others.length));
      const ranks = { a: a(edge, end, positives), b: b(edge, end, positives), popularity };
      return [{ a: figuresOf(ranks.a), b: figuresOf(ranks.b), popularity: figuresOf(ranks.popularity) }];
    });
    if (ends.length === 0) continue;
    ranked.push({
      relation: edge.relation,
      a: meanOf(ends.map((each) => each.a)),
      b: meanOf(ends.map((each) => each.b)),
      popularity: meanOf(ends.map((each) => each.popularity)),
    });
  }
  return ranked.length === 0 ? undefined : qualityOf(ranked);
}

/** The rank of an end of an edge among the candidates of its type that are no positives. */
type Ranker = (edge: HeldEdge, end: End, positives: ReadonlySet<EntityKey>) => number;

/** Reads the candidates and the ends of held-back edges of one store. */
async function rankerOf(
  { store, head }: ComparedStore,
  held: readonly HeldEdge[],
  candidates: ReadonlyMap<string, readonly CommonEntity[]>,
  rowOf: (entity: CommonEntity) => number,
): Promise<Ranker> {
  const ends = held.flatMap(({ lhsEntity, rhsEntity }) => [lhsEntity, rhsEntity]);
  const needed = new Map([...ends, ...[...candidates.values()].flat()].map((each) => [each.key, each]));
  const only = Array.from(needed.values(), (entity) => ({ key: entity.key, row: rowOf(entity) }));
  const space = await Space.read(store, head, { only });
  const rows = (keys: Iterable<EntityKey>) => Int32Array.from(keys, (key) => space.rowOf(key)!);
  const rankings = new Map(
    [...candidates].map(([type, some]) => [type, new Ranking(space, rows(some.map(({ key }) => key)))]),
  );
  return (edge, end, positives) => {
    const [anchor] = rows([end === 'rhs' ? edge.lhs : edge.rhs]);
    const [answer] = rows([edge[end]]);
    const relationRow = space.relationRow(edge.relation, end === 'lhs');
    const question = { anchor: anchor!, relationRow, answer: answer!, leftOut: rows(positives) };
    return rankings.get(typeOf(edge[end]))!.ranks([question])[0]!;
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

function qualityOf(ranked: readonly EdgeRanks[]): Quality {
  const figures = (edges: readonly EdgeRanks[]): QualityFigures => ({
    edges: edges.length,
    a: meanOf(edges.map(({ a }) => a)),
    b: meanOf(edges.map(({ b }) => b)),
    popularity: meanOf(edges.map(({ popularity }) => popularity)),
  });
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

/** Fewest edges for a verdict. */
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

/** The end of an edge that is ranked. */
export type End = 'lhs' | 'rhs';

/**
 * What the ranking of held-back edges needs of a graph's edges: the candidates that are positives themselves, and the
 * number of edges of each candidate. It sees every edge once, and remembers only what concerns the candidates.
 */
export class KnownEdges {
  readonly #candidates: ReadonlySet<EntityKey>;
  /** By {@link questionOf}: the candidates that are positives, for each question that will be asked. */
  readonly #positives = new Map<string, Set<EntityKey>>();
  /** By {@link degreeName}: edges of candidates and of ends of held-back edges. */
  readonly #degrees = new Map<string, number>();
  readonly #counted: ReadonlySet<EntityKey>;

  /** held: the edges to rank, which are positives too; candidates: the entities to rank against. */
  constructor(held: readonly EdgeName[], candidates: Iterable<EntityKey>) {
    this.#candidates = new Set(candidates);
    this.#counted = new Set([...this.#candidates, ...held.flatMap(({ lhs, rhs }) => [lhs, rhs])]);
    for (const edge of held) {
      this.#positives.set(questionOf('lhs', edge), new Set());
      this.#positives.set(questionOf('rhs', edge), new Set());
    }
    for (const edge of held) this.#putPositives(edge);
  }

  /** Notes an edge that is live in a store. */
  saw(edge: EdgeName): void {
    this.#putPositives(edge);
    for (const end of ['lhs', 'rhs'] as const) {
      if (!this.#counted.has(edge[end])) continue;
      const name = degreeName(end, edge.relation, edge[end]);
      this.#degrees.set(name, (this.#degrees.get(name) ?? 0) + 1);
    }
  }

  /** The candidates that are positives for `end` of the edge, the edge's own end included. */
  positives(end: End, edge: EdgeName): ReadonlySet<EntityKey> {
    return this.#positives.get(questionOf(end, edge)) ?? new Set();
  }

  /** The number of live edges of the relation with the entity at `end`. */
  degree(end: End, relation: string, entity: EntityKey): number {
    return this.#degrees.get(degreeName(end, relation, entity)) ?? 0;
  }

  #putPositives(edge: EdgeName): void {
    for (const end of ['lhs', 'rhs'] as const) {
      if (this.#candidates.has(edge[end])) this.#positives.get(questionOf(end, edge))?.add(edge[end]);
    }
  }
}

/** Names a question such as `? follows user:2`, which asks for lhs. */
function questionOf(end: End, { lhs, relation, rhs }: EdgeName): string {
  return end === 'lhs' ? `\n${relation}\n${rhs}` : `${lhs}\n${relation}\n`;
}

function degreeName(end: End, relation: string, entity: EntityKey): string {
  return `${end}\n${relation}\n${entity}`;
}
