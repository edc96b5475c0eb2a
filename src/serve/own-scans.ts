import type { WasmBuild } from '../kernels/instance.ts';
import type { Found, ScanQuery } from '../kernels/scan/scan.ts';
import { Scanner } from '../kernels/scan/scanner.ts';
import type { ScanTable } from '../kernels/scan/table.ts';
import type { ScorerName } from '../model/settings.ts';
import type { Scans } from './looks.ts';

/** Scans in the thread that asks, which does nothing else meanwhile. */
export class OwnScans implements Scans {
  readonly #build: WasmBuild;
  readonly #scanners = new WeakMap<ScanTable, Map<ScorerName, Scanner>>();

  constructor(build: WasmBuild) {
    this.#build = build;
  }

  async top(
    table: ScanTable,
    scorer: ScorerName,
    queries: readonly ScanQuery[],
    depth: number,
  ): Promise<Found[][]> {
    return this.#scanner(table, scorer).top(queries, depth);
  }

  async stop(): Promise<void> {}

  #scanner(table: ScanTable, scorer: ScorerName): Scanner {
    const byScorer = this.#scanners.get(table) ?? new Map<ScorerName, Scanner>();
    this.#scanners.set(table, byScorer);
    const scanner = byScorer.get(scorer) ?? new Scanner(table, scorer, this.#build);
    byScorer.set(scorer, scanner);
    return scanner;
  }
}
