import type { Found, Rank, ScanQuery } from '../kernels/scan/scan.ts';
import type { ScanTable } from '../kernels/scan/table.ts';
import type { ScorerName } from '../model/settings.ts';

/** The best `depth` rows of a table for each query. */
export interface TopLook {
  readonly kind: 'top';
  readonly table: ScanTable;
  readonly scorer: ScorerName;
  readonly queries: readonly ScanQuery[];
  readonly depth: number;
}

/** The ranks of scores among all rows of a table. */
export interface RankLook {
  readonly kind: 'rank';
  readonly table: ScanTable;
  readonly scorer: ScorerName;
  /** [dim] */
  readonly query: Float64Array;
  /** As scans compare: see `Found`. */
  readonly scores: readonly number[];
}

/** What an answer has to know from scans before it can go on. */
export type Look = TopLook | RankLook;

/** What scans found: a list for each query of a `top`, a rank for each score of a `rank`. */
export interface Seen {
  readonly lists: readonly (readonly Found[])[];
  readonly ranks: readonly Rank[];
}

/**
 * The making of an answer: it yields what has to be looked at, and goes on with what was seen. Between its first step and
 * its last, no vector is written, and so the whole answer is of one state of the tables. It can wait for nothing but looks.
 */
export type Asking<T> = Generator<Look, T, Seen>;

/** The best rows for each query, best first. */
export function* lookForTop(look: Omit<TopLook, 'kind'>): Asking<Seen['lists']> {
  const { lists } = yield { kind: 'top', ...look };
  return lists;
}

/** The ranks of the scores, in their order. */
export function* lookForRanks(look: Omit<RankLook, 'kind'>): Asking<Seen['ranks']> {
  const { ranks } = yield { kind: 'rank', ...look };
  return ranks;
}

/** Where tables are scanned. */
export interface Scans {
  /**
   * For each query the best `depth` rows, as `Scan.top`. queries: at most 4, which share a pass over the rows.
   * Nothing is written to the table until the promise is settled: the caller sees to it.
   */
  top(
    table: ScanTable,
    scorer: ScorerName,
    queries: readonly ScanQuery[],
    depth: number,
  ): Promise<readonly (readonly Found[])[]>;
  /** The rank of each score, as `Scan.ranks`. */
  ranks(
    table: ScanTable,
    scorer: ScorerName,
    query: Float64Array,
    scores: readonly number[],
  ): Promise<readonly Rank[]>;
  /** Waits for the scans that are out; afterwards there are none. Idempotent. */
  stop(): Promise<void>;
}
