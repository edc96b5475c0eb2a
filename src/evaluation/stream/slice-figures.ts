import type { RankedEdges } from '../../pipeline/training/trainer.ts';
import type { Random } from '../../sampling/random.ts';
import { bootstrap, type Interval } from '../bootstrap.ts';
import type { CandidateSet, ScoredSets } from './ranked-edges.ts';

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
    ...EVENTS_BEFORE.map((events) => ({
      name: `actor after ${events}`,
      has: (edges: RankedEdges, i: number) =>
        edges.lhsEvents[i] === events && isNew(edges, i) && bothKnown(edges, i),
    })),
    ...EVENTS_BEFORE.map((events) => ({
      name: `target after ${events}`,
      has: (edges: RankedEdges, i: number) =>
        edges.rhsEvents[i] === events && isNew(edges, i) && bothKnown(edges, i),
    })),
  ];
}

/** Mean reciprocal rank and hits@10 of one way of ranking. */
export interface RankFigures {
  readonly mrr: Interval;
  readonly hits10: Interval;
}

/** One slice of the stream, every way of ranking beside the others. */
export interface SliceFigures {
  readonly slice: string;
  readonly edges: number;
  readonly users: number;
  /** By set of candidates, then by way of ranking. */
  readonly figures: Readonly<Record<CandidateSet, Readonly<Record<string, RankFigures>>>>;
  /** MRR of each run of the vectors. */
  readonly bySeed: Readonly<Record<CandidateSet, readonly number[]>>;
  /** MRR of the vectors minus that of each other way, edge by edge. */
  readonly lead: Readonly<Record<CandidateSet, Readonly<Record<string, Interval>>>>;
}

/** What ranked the edges: the vectors with each seed, of which the mean is given, and other ways by name. */
export interface Ways {
  readonly runs: readonly ScoredSets[];
  readonly others: Readonly<Record<string, ScoredSets>>;
}

/** The figures of a slice, with intervals by user; undefined where the slice has no edge. */
export function sliceFigures(
  edges: RankedEdges,
  slice: Slice,
  ways: Ways,
  random: Random,
): SliceFigures | undefined {
  const picked = Array.from(edges.edge.keys()).filter((i) => slice.has(edges, i));
  if (picked.length === 0) return undefined;
  const users = new Map<number, number>();
  for (const i of picked) {
    const lhs = edges.lhs[i]!;
    if (!users.has(lhs)) users.set(lhs, users.size);
  }
  const cases = { picked, userOf: picked.map((i) => users.get(edges.lhs[i]!) ?? 0), users: users.size };
  const [uniform, degree] = [
    setFigures(cases, 'uniform', ways, random),
    setFigures(cases, 'degree', ways, random),
  ];
  return {
    slice: slice.name,
    edges: picked.length,
    users: users.size,
    figures: { uniform: uniform.figures, degree: degree.figures },
    bySeed: { uniform: uniform.bySeed, degree: degree.bySeed },
    lead: { uniform: uniform.lead, degree: degree.lead },
  };
}

/** Edges of a slice, and the user of each. */
interface Cases {
  readonly picked: readonly number[];
  readonly userOf: readonly number[];
  readonly users: number;
}

function setFigures(cases: Cases, set: CandidateSet, { runs, others }: Ways, random: Random) {
  const names = ['vectors', ...Object.keys(others)];
  const all = [runs, ...Object.values(others).map((other) => [other])];
  // Of several runs, each edge has the mean.
  const mean = (of: readonly Float32Array[]) => (i: number) =>
    of.reduce((sum, values) => sum + values[i]!, 0) / of.length;
  const reciprocals = all.map((each) => mean(each.map((run) => run[set].reciprocal)));
  const hits = all.map((each) => mean(each.map((run) => run[set].hit)));
  const leads = reciprocals.slice(1).map((other) => (i: number) => reciprocals[0]!(i) - other(i));
  const sums = [...reciprocals, ...hits, ...leads].map((value) => sumsOf(cases, value));
  const intervals = bootstrap({ counts: sumsOf(cases, () => 1), sums }, random);
  return {
    figures: Object.fromEntries(
      names.map((name, n) => [name, { mrr: intervals[n]!, hits10: intervals[names.length + n]! }]),
    ),
    bySeed: runs.map((run) => {
      const values = run[set].reciprocal;
      return cases.picked.reduce((sum, i) => sum + values[i]!, 0) / cases.picked.length;
    }),
    lead: Object.fromEntries(names.slice(1).map((name, n) => [name, intervals[2 * names.length + n]!])),
  };
}

/** [users] sums of the values of each user's edges. */
function sumsOf({ picked, userOf, users }: Cases, value: (edge: number) => number): Float64Array {
  const sums = new Float64Array(users);
  for (let k = 0; k < picked.length; k++) sums[userOf[k]!]! += value(picked[k]!);
  return sums;
}
