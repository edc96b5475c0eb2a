import type { ScorerName } from '../../model/settings.ts';
import { CompiledInstance, type Exported } from '../instance.ts';
import { BLOCK_ROWS, MAX_QUERIES } from './layout.ts';
import type { ScanRows } from './rows.ts';
import type { ScanQuery } from './scan.ts';

/** The compiled scan (`assembly/`), which every Node of this version can run. */
export const SCAN_FILE = new URL('./scan-relaxed.wasm', import.meta.url);

/** The two L2 scorers have the same exact score. */
const SCORER_CONSTANTS: Record<ScorerName, string> = {
  'transe-l1': 'L1',
  'transe-l2': 'L2',
  'transe-l2-squared': 'L2',
  twhin: 'PRODUCT',
};

/** The compiled scan on a memory. Its addresses are still to be set. */
export function compiledScan(scorer: ScorerName, memory: WebAssembly.Memory): CompiledInstance {
  const instance = new CompiledInstance(SCAN_FILE, memory);
  instance.setGlobals({ scorer: instance.valueOf(SCORER_CONSTANTS[scorer]) });
  return instance;
}

/** Exact scores of the rows whose vectors are in one memory, computed there: none is copied. */
export class ExactScores {
  readonly #firstRow: number;
  readonly #queries: readonly Float64Array[];
  readonly #foundRows: Int32Array;
  readonly #foundScores: Float64Array;
  readonly #scoreFound: Exported;

  constructor({ place, vectorLayout }: ScanRows, piece: number, scorer: ScorerName, workspace: number) {
    const memory = place.vectors[piece]!;
    const { buffer } = memory;
    const { queryBytes, vectors, vectorBytes } = vectorLayout;
    const start = vectorLayout.workspaces + workspace * vectorLayout.workspaceBytes;
    const foundRows = start + vectorLayout.foundRows;
    const foundScores = start + vectorLayout.foundScores;
    this.#firstRow = piece * place.pieceRows;
    this.#queries = Array.from(
      { length: MAX_QUERIES },
      (_, i) => new Float64Array(buffer, start + i * queryBytes, place.dim),
    );
    this.#foundRows = new Int32Array(buffer, foundRows, BLOCK_ROWS);
    this.#foundScores = new Float64Array(buffer, foundScores, BLOCK_ROWS);
    const instance = compiledScan(scorer, memory);
    instance.setGlobals({ vectors, vectorBytes, foundRows, foundScores });
    this.#scoreFound = instance.functionOf('scoreFound');
  }

  /** Writes the queries to where rows are scored. */
  load(queries: readonly ScanQuery[]): void {
    for (const [i, { vector }] of queries.entries()) this.#queries[i]!.set(vector);
  }

  /** [count]: the scores of the first `count` of the rows, by a query that was loaded; valid until the next ones. */
  scores(query: number, rows: Int32Array, count: number): Float64Array {
    for (let i = 0; i < count; i++) this.#foundRows[i] = rows[i]! - this.#firstRow;
    this.#scoreFound(count, this.#queries[query]!.byteOffset);
    return this.#foundScores;
  }
}
