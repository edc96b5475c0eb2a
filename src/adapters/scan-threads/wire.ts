import type { ScanPlace } from '../../kernels/scan/rows.ts';
import type { Found, RowRange } from '../../kernels/scan/scan.ts';
import type { ScorerName } from '../../model/settings.ts';

export interface Starting {
  /** The workspace of each table that belongs to the thread. */
  readonly workspace: number;
}

/** The calls that a scanning thread answers. A table is known from the call `table` to the call `forget`. */
export interface ScanMethods {
  table(known: { readonly table: number; readonly place: ScanPlace }): void;
  forget(table: number): void;
  top(question: Question): readonly PackedList[];
}

export interface Question {
  readonly table: number;
  readonly scorer: ScorerName;
  /** It ends at the table's highest row as of the pass. */
  readonly range: RowRange;
  readonly queries: readonly {
    readonly vector: Float64Array;
    readonly leftOut: Int32Array;
    readonly marked?: Uint8Array | undefined;
  }[];
  readonly depth: number;
}

/** A list as a message holds it: thousands of objects would take longer than the scan. */
export interface PackedList {
  readonly rows: Int32Array;
  readonly scores: Float64Array;
}

export function packList(list: readonly Found[]): PackedList {
  return {
    rows: Int32Array.from(list, ({ row }) => row),
    scores: Float64Array.from(list, ({ score }) => score),
  };
}

export function unpackList({ rows, scores }: PackedList): Found[] {
  return Array.from(rows, (row, i) => ({ row, score: scores[i]! }));
}
