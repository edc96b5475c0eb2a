import type { Found, ScanQuery } from '../kernels/scan/scan.ts';
import { Scanners } from '../kernels/scan/scanner.ts';
import type { ScanTable } from '../kernels/scan/table.ts';
import type { ScorerName } from '../model/settings.ts';

/** What an answer has to know from a scan before it can go on: the best `depth` rows of a table for each query. */
export interface Look {
  readonly table: ScanTable;
  readonly scorer: ScorerName;
  readonly queries: readonly ScanQuery[];
  readonly depth: number;
}

/** What a scan found: for each query its best rows, best first. */
export type Lists = readonly (readonly Found[])[];

/**
 * The making of an answer: it yields what has to be looked at, and goes on with what was seen. Between its first step and
 * its last, no vector is written, and so the whole answer is of one state of the tables. It can wait for nothing but looks.
 */
export type Asking<T> = Generator<Look, T, Lists>;

export interface Scans {
  /**
   * Looks, as `Scan.top`. queries: at most 4, which share a pass over the rows.
   * Nothing is written to the table until the promise is settled: the caller sees to it.
   */
  top(look: Look): Promise<Lists>;
  /** Waits for the scans that are out; afterwards there are none. Idempotent. */
  stop(): Promise<void>;
}

/** Scans in the thread that asks, which does nothing else meanwhile. */
export class OwnScans implements Scans {
  readonly #scanners = new WeakMap<ScanTable, Scanners>();

  async top({ table, scorer, queries, depth }: Look): Promise<Lists> {
    const scanners = this.#scanners.get(table) ?? new Scanners(table);
    this.#scanners.set(table, scanners);
    return scanners.of(scorer).top(queries, depth);
  }

  async stop(): Promise<void> {}
}
