import { squaredDistance } from '../model/scorers.ts';
import type { Asking } from './looks.ts';
import type { Later } from './shared-passes.ts';
import type { VectorTable } from './vector-table.ts';
import { type ScoredTable, scoreOf } from './weighted-top.ts';

/** How lists are asked for: by the user and the relations alone, or by several interests of the user. */
export const INTEREST_WAYS = ['none', 'mixture'] as const;
export type InterestWay = (typeof INTEREST_WAYS)[number];

/** The newest targets of a user that are looked at. */
export const NEWEST_TARGETS = 100;
const CLUSTERS = 256;
const ROUNDS = 10;
/** Most targets that clusters are made from. */
const MOST_POINTS = 64 * CLUSTERS;
/** Points that are assigned in one step: a few milliseconds. */
const SLICE = 64;
const MOST_INTERESTS = 5;

/** One interest of a user: what is nearest to it is shown. */
export interface Interest {
  /** [dim] */
  readonly vector: Float64Array;
  /** Its part of the list; the shares of a user sum to 1. */
  readonly share: number;
}

type Vector = Float32Array | Float64Array;

/**
 * The centres of points by Lloyd's k-means, a step at a time: other work gets its turn between two steps. The first centres are
 * points drawn with equal chances, no more than there are; a centre without points stays where it is.
 * below: a random whole number below the one given.
 * Source: Lloyd 1982, "Least squares quantization in PCM".
 */
export function* kMeans(
  points: readonly Vector[],
  below: (n: number) => number,
  clusters = CLUSTERS,
): Generator<void, Float64Array[]> {
  const drawn = [...points];
  const centroids = Array.from({ length: Math.min(clusters, points.length) }, (_, i): Float64Array => {
    const other = i + below(drawn.length - i);
    [drawn[i], drawn[other]] = [drawn[other]!, drawn[i]!];
    return Float64Array.from(drawn[i]!);
  });
  for (let round = 0; round < ROUNDS; round++) {
    const members = centroids.map((): Vector[] => []);
    for (let next = 0; next < points.length; next += SLICE) {
      for (const point of points.slice(next, next + SLICE)) members[nearest(point, centroids)]!.push(point);
      yield;
    }
    for (const [i, of] of members.entries()) if (of.length > 0) centroids[i] = meanOf(of);
  }
  return centroids;
}

/**
 * The user as a mixture of clusters: those that most of the user's targets are in, each asked for by the mean of these
 * targets, in proportion to how many they are. targets: the newest first.
 * Source: El-Kishky et al. 2022, "TwHIN" and "kNN-Embed".
 */
export function mixtureOf(targets: readonly Vector[], centroids: readonly Float64Array[]): Interest[] {
  const clusters = Map.groupBy(targets, (target) => nearest(target, centroids));
  // The sort keeps the order of equal clusters, in which the one with the newest target comes first.
  const kept = [...clusters.values()].sort((a, b) => b.length - a.length).slice(0, MOST_INTERESTS);
  const all = kept.reduce((sum, { length }) => sum + length, 0);
  return kept.map((members) => ({ vector: meanOf(members), share: members.length / all }));
}

/** A place of a list that is made of several. */
export interface Place {
  readonly item: number;
  /** Which of the lists the item is from. */
  readonly list: number;
}

/**
 * One list of several, in which each has its share of the places, however long a beginning of the list is looked at: the next
 * place goes to the list that is furthest behind its share. What is in several lists comes once. lists: the best first.
 * Source: the method of Sainte-Laguë, which gives seats to parties.
 */
export function interleave(
  lists: readonly (readonly number[])[],
  shares: readonly number[],
  count: number,
): Place[] {
  const merged: Place[] = [];
  const taken = new Set<number>();
  const places = lists.map(() => 0);
  const next = lists.map(() => 0);
  const claim = (list: number) => shares[list]! / (2 * places[list]! + 1);
  while (merged.length < count) {
    let best = -1;
    for (const [i, list] of lists.entries()) {
      while (next[i]! < list.length && taken.has(list[next[i]!]!)) next[i]!++;
      if (next[i]! < list.length && (best < 0 || claim(i) > claim(best))) best = i;
    }
    if (best < 0) break;
    const item = lists[best]![next[best]!]!;
    merged.push({ item, list: best });
    taken.add(item);
    places[best]!++;
  }
  return merged;
}

/** A row of a list by interests, its score, and the interest that it is nearest to in its turn. */
export interface InterestRow {
  readonly row: number;
  readonly score: number;
  readonly interest: Interest;
}

/** The first `count` rows by several interests, each of which has its share; the score is that of the row's own interest. */
export function* interestTop(
  scored: ScoredTable,
  interests: readonly Interest[],
  leftOut: readonly number[],
  count: number,
  marked?: Uint8Array,
): Asking<InterestRow[]> {
  const { table, scorer } = scored;
  const queries = interests.map(({ vector }) => ({ vector, leftOut, marked }));
  const lists = yield { table, scorer, queries, depth: count };
  const rows = lists.map((list) => list.map(({ row }) => row));
  const shares = interests.map(({ share }) => share);
  return interleave(rows, shares, count).map(({ item: row, list }) => {
    const interest = interests[list]!;
    return { row, score: scoreOf(scored, interest.vector, row), interest };
  });
}

function nearest(point: Vector, centroids: readonly Float64Array[]): number {
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let i = 0; i < centroids.length; i++) {
    const distance = squaredDistance(point, centroids[i]!);
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}

/** points: at least one. */
export function meanOf(points: readonly Vector[]): Float64Array {
  const sum = new Float64Array(points[0]?.length ?? 0);
  for (const point of points) for (let k = 0; k < sum.length; k++) sum[k]! += point[k]!;
  return sum.map((value) => value / points.length);
}

/** Clusters are made again after this time: vectors move. */
const REMAKE_MS = 600_000;

/** The clusters of a table, as of a moment. */
interface Clustered {
  readonly madeAt: number;
  /** undefined while they are made. */
  centroids: readonly Float64Array[] | undefined;
}

/** The centres of the clusters of a table; undefined while they are made for the first time, or the table is empty. */
export type CentroidsOf = (table: VectorTable) => readonly Float64Array[] | undefined;

/**
 * Clusters of the vectors of tables, from a sample of them. They are made when somebody asks for them, in steps of a few
 * milliseconds between which other work gets its turn, and made again when they are old.
 * clock: ms; below: a random whole number below the one given.
 */
export function clustering(later: Later, clock: () => number, below: (n: number) => number): CentroidsOf {
  const tables = new WeakMap<VectorTable, Clustered>();
  return (table) => {
    const known = tables.get(table);
    const now = clock();
    if (known !== undefined && now - known.madeAt < REMAKE_MS) return known.centroids;
    const points = sampleOf(table, below);
    if (points.length === 0) return undefined;
    // Old centres serve until there are new ones.
    const made: Clustered = { madeAt: now, centroids: known?.centroids };
    tables.set(table, made);
    const steps = kMeans(points, below);
    const step = () => {
      const { done, value } = steps.next();
      if (done) made.centroids = value;
      else later(step);
    };
    later(step);
    return made.centroids;
  };
}

/** Copies: the vectors go on to move. */
function sampleOf({ scan }: VectorTable, below: (n: number) => number): Float32Array[] {
  const points: Float32Array[] = [];
  for (let i = Math.min(scan.rows, MOST_POINTS); i > 0; i--) {
    const row = below(scan.rows);
    if (scan.has(row)) points.push(scan.vector(row).slice());
  }
  return points;
}
