import { RANKED_BY } from '../../pipeline/training/ranking/prequential.ts';
import { HIT_RANK, harmonic } from '../../pipeline/training/ranking/ranker.ts';
import type { RankedEdges } from '../../pipeline/training/trainer.ts';
import type { Random } from '../../sampling/random.ts';
import { bootstrap } from '../bootstrap.ts';

/** The two sets of candidates, in the order of `RankedEdges.ranks`. */
export const CANDIDATE_SETS = ['uniform', 'degree'] as const;
export type CandidateSet = (typeof CANDIDATE_SETS)[number];

/** Values in a row of `RankedEdges.ranks`. */
const WIDTH = (RANKED_BY.length + 1) * CANDIDATE_SETS.length;

/** Reciprocal rank and hit@10 of each edge among the candidates of one set. */
interface Scored {
  readonly reciprocal: Float32Array;
  readonly hit: Float32Array;
}

/** What one way of ranking gave, by set of candidates. */
export type ScoredSets = Readonly<Record<CandidateSet, Scored>>;

/** The edges of a stream that were ranked before they were learned, part after part, as one. */
export function joinedEdges(parts: readonly RankedEdges[]): RankedEdges {
  const all = (key: keyof RankedEdges) => parts.flatMap((part) => Array.from(part[key]));
  return {
    edge: Float64Array.from(all('edge')),
    lhs: Int32Array.from(all('lhs')),
    relation: Uint8Array.from(all('relation')),
    lhsEvents: Int32Array.from(all('lhsEvents')),
    rhsEvents: Int32Array.from(all('rhsEvents')),
    repeated: Uint8Array.from(all('repeated')),
    ranks: Float32Array.from(all('ranks')),
  };
}

/** What one column of ranks says of each edge. */
export function scoredBy({ ranks, edge }: RankedEdges, by: (typeof RANKED_BY)[number]): ScoredSets {
  const column = RANKED_BY.indexOf(by) * CANDIDATE_SETS.length;
  return bySet((set) => {
    const rank = (i: number) => ranks[i * WIDTH + column + set]!;
    return {
      reciprocal: Float32Array.from(edge, (_, i) => 1 / rank(i)),
      hit: Float32Array.from(edge, (_, i) => (rank(i) <= HIT_RANK ? 1 : 0)),
    };
  });
}

/** What a random order gives on average. */
export function scoredByChance({ ranks, edge }: RankedEdges): ScoredSets {
  return bySet((set) => {
    const all = (i: number) => ranks[i * WIDTH + WIDTH - CANDIDATE_SETS.length + set]! + 1;
    const reciprocal = Float32Array.from(edge, (_, i) => harmonic(all(i)) / all(i));
    return { reciprocal, hit: Float32Array.from(edge, (_, i) => Math.min(1, HIT_RANK / all(i))) };
  });
}

function bySet<T>(of: (set: number, name: CandidateSet) => T): Record<CandidateSet, T> {
  return { uniform: of(0, 'uniform'), degree: of(1, 'degree') };
}

/** A part of the edges that figures are given for. */
export interface Slice {
  readonly name: string;
  readonly has: (edges: RankedEdges, i: number) => boolean;
}

const isNew = ({ repeated }: RankedEdges, i: number) => repeated[i] === 0;
const bothKnown = (edges: RankedEdges, i: number) => edges.lhsEvents[i]! > 0 && edges.rhsEvents[i]! > 0;

/** How many events an entity has behind it in the figures of young entities. */
const EVENTS_BEFORE = [1, 2, 4, 8] as const;

/** The parts of a stream: by group, then by relation among known entities, then young entities. */
export function slicesOf(relations: readonly string[]): Slice[] {
  return [
    { name: 'both known', has: (edges, i) => isNew(edges, i) && bothKnown(edges, i) },
    { name: 'actor new', has: (edges, i) => edges.lhsEvents[i] === 0 && edges.rhsEvents[i]! > 0 },
    { name: 'target new', has: (edges, i) => edges.rhsEvents[i] === 0 },
    { name: 'repeated', has: (edges, i) => !isNew(edges, i) },
    { name: 'both known or repeated', has: bothKnown },
    ...relations.map((name, relation) => ({
      name: `both known, ${name}`,
      has: (edges: RankedEdges, i: number) =>
        edges.relation[i] === relation && isNew(edges, i) && bothKnown(edges, i),
    })),
    ...(['actor', 'target'] as const).flatMap((end) =>
      EVENTS_BEFORE.map((events) => ({
        name: `${end} after ${events}`,
        has: (edges: RankedEdges, i: number) =>
          edges[end === 'actor' ? 'lhsEvents' : 'rhsEvents'][i] === events &&
          isNew(edges, i) &&
          bothKnown(edges, i),
      })),
    ),
  ];
}

/** One slice of the stream, every way of ranking beside the others. */
export type SliceFigures = NonNullable<ReturnType<typeof sliceFigures>>;

/** What ranked the edges, by name; the vectors first. */
export type Ways = Readonly<Record<string, ScoredSets>>;

/** The figures of a slice, with intervals by user; undefined where the slice has no edge. */
export function sliceFigures(edges: RankedEdges, slice: Slice, ways: Ways, random: Random) {
  const picked = Array.from(edges.edge.keys()).filter((i) => slice.has(edges, i));
  if (picked.length === 0) return undefined;
  const users = new Map<number, number>();
  for (const i of picked) {
    const lhs = edges.lhs[i]!;
    if (!users.has(lhs)) users.set(lhs, users.size);
  }
  const cases = { picked, userOf: picked.map((i) => users.get(edges.lhs[i]!) ?? 0), users: users.size };
  const { uniform, degree } = bySet((_, set) => setFigures(cases, set, ways, random));
  return {
    slice: slice.name,
    edges: picked.length,
    users: users.size,
    /** By set of candidates, then by way of ranking. */
    figures: { uniform: uniform.figures, degree: degree.figures },
    /** MRR of the first way minus that of each other way, edge by edge. */
    lead: { uniform: uniform.lead, degree: degree.lead },
  };
}

/** Edges of a slice, and the user of each. */
interface Cases {
  readonly picked: readonly number[];
  readonly userOf: readonly number[];
  readonly users: number;
}

/** Mean reciprocal rank and hits@10 of each way of ranking. */
function setFigures(cases: Cases, set: CandidateSet, ways: Ways, random: Random) {
  const names = Object.keys(ways);
  const of = (key: keyof Scored) => Object.values(ways).map((way) => (i: number) => way[set][key][i]!);
  const reciprocals = of('reciprocal');
  const leads = reciprocals.slice(1).map((other) => (i: number) => reciprocals[0]!(i) - other(i));
  const sums = [...reciprocals, ...of('hit'), ...leads].map((value) => sumsOf(cases, value));
  const intervals = bootstrap({ counts: sumsOf(cases, () => 1), sums }, random);
  return {
    figures: Object.fromEntries(
      names.map((name, n) => [name, { mrr: intervals[n]!, hits10: intervals[names.length + n]! }]),
    ),
    lead: Object.fromEntries(names.slice(1).map((name, n) => [name, intervals[2 * names.length + n]!])),
  };
}

/** [users] sums of the values of each user's edges. */
function sumsOf({ picked, userOf, users }: Cases, value: (edge: number) => number): Float64Array {
  const sums = new Float64Array(users);
  for (let k = 0; k < picked.length; k++) sums[userOf[k]!]! += value(picked[k]!);
  return sums;
}
