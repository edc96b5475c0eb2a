import type { ScorerName } from '../../model/settings.ts';
import { CompiledInstance, type Exported } from '../instance.ts';
import { BLOCK_ROWS, MAX_QUERIES } from './layout.ts';
import type { ScanRows } from './rows.ts';
import type { RowRange, ScanQuery } from './scan.ts';

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

/** Exact scores of rows, computed in the memories that have their vectors: none is copied. */
export class ExactScores {
  readonly #rows: ScanRows;
  readonly #scorer: ScorerName;
  readonly #workspace: number;
  /** By memory; made when one of its rows is first looked at. */
  readonly #pieces: PieceScores[] = [];

  constructor(rows: ScanRows, scorer: ScorerName, workspace: number) {
    this.#rows = rows;
    this.#scorer = scorer;
    this.#workspace = workspace;
  }

  /** Writes the queries to where rows of the range are scored. */
  load(queries: readonly ScanQuery[], { from, until }: RowRange): void {
    const { pieceRows } = this.#rows.place;
    for (let piece = Math.floor(from / pieceRows); piece * pieceRows < until; piece++)
      this.#of(piece).load(queries);
  }

  /**
   * [count]: the scores of the first `count` of the rows, by a query that was loaded; valid until the next ones. rows: all of
   * one block.
   */
  scores(query: number, rows: Int32Array, count: number): Float64Array {
    return this.#pieces[Math.floor(rows[0]! / this.#rows.place.pieceRows)]!.scores(query, rows, count);
  }

  #of(piece: number): PieceScores {
    this.#pieces[piece] ??= new PieceScores(this.#rows, piece, this.#scorer, this.#workspace);
    return this.#pieces[piece];
  }
}

/** Exact scores of the rows of one memory. */
class PieceScores {
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

  load(queries: readonly ScanQuery[]): void {
    for (const [i, { vector }] of queries.entries()) this.#queries[i]!.set(vector);
  }

  scores(query: number, rows: Int32Array, count: number): Float64Array {
    for (let i = 0; i < count; i++) this.#foundRows[i] = rows[i]! - this.#firstRow;
    this.#scoreFound(count, this.#queries[query]!.byteOffset);
    return this.#foundScores;
  }
}
