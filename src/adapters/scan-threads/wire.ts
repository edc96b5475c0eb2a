import type { WasmBuild } from '../../kernels/instance.ts';
import type { ScanPlace } from '../../kernels/scan/rows.ts';
import type { Found, Rank, RowRange } from '../../kernels/scan/scan.ts';
import type { ScorerName } from '../../model/settings.ts';
import type { Failed } from '../threads.ts';

/** What a thread that scans is started with. */
export interface Starting {
  readonly build: WasmBuild;
  /** The workspace of each table that belongs to the thread. */
  readonly workspace: number;
}

/** A part of a pass. The range ends at the table's highest row as of the pass. */
export interface Part {
  readonly table: number;
  readonly scorer: ScorerName;
  readonly range: RowRange;
}

export interface TopCall extends Part {
  readonly kind: 'top';
  readonly queries: readonly {
    readonly vector: Float64Array;
    readonly leftOut: Int32Array;
    readonly marked?: Uint8Array | undefined;
  }[];
  readonly depth: number;
}

export interface RanksCall extends Part {
  readonly kind: 'ranks';
  readonly query: Float64Array;
  readonly scores: Float64Array;
}

/** A question: each has one answer. */
export type Question = TopCall | RanksCall;

/** What is sent to a thread. A table is known from its first call on, until nobody can ask for it any more. */
export type Call =
  | Question
  | { readonly kind: 'table'; readonly table: number; readonly place: ScanPlace }
  | { readonly kind: 'forget'; readonly table: number };

/** A list as a message holds it: thousands of objects would take longer than the scan. */
export interface PackedList {
  readonly rows: Int32Array;
  readonly scores: Float64Array;
}

/** An answer. ranks: rank and compared of each score in turn. */
export type Reply =
  | { readonly kind: 'top'; readonly lists: readonly PackedList[] }
  | { readonly kind: 'ranks'; readonly ranks: Float64Array }
  | Failed;

export function packList(list: readonly Found[]): PackedList {
  return {
    rows: Int32Array.from(list, ({ row }) => row),
    scores: Float64Array.from(list, ({ score }) => score),
  };
}

export function unpackList({ rows, scores }: PackedList): Found[] {
  return Array.from(rows, (row, i) => ({ row, score: scores[i]! }));
}

export function packRanks(ranks: readonly Rank[]): Float64Array {
  const packed = new Float64Array(2 * ranks.length);
  for (const [i, { rank, compared }] of ranks.entries()) packed.set([rank, compared], 2 * i);
  return packed;
}

export function unpackRanks(packed: Float64Array): Rank[] {
  return Array.from({ length: packed.length / 2 }, (_, i) => ({
    rank: packed[2 * i]!,
    compared: packed[2 * i + 1]!,
  }));
}
