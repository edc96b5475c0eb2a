import { FatalError, ShapeError } from '../../errors/errors.ts';
import { CompiledInstance, type Exported } from '../instance.ts';
import { SCAN_FILE } from './exact.ts';
import {
  BLOCK_ROWS,
  blockAt,
  CODE_SUMS,
  layOutScan,
  layOutVectors,
  measuresAt,
  mostScanRows,
  PAGE_BYTES,
  pagesOf,
  type ScanSize,
} from './layout.ts';
import { ceil32, MAX_FLOAT, MAX_LENGTH } from './query.ts';
import { ScanRows } from './rows.ts';

const MAX_CODE = 127;
/** A smaller scale would be near the smallest float32. */
const MIN_SCALE = 2 ** -120;

/**
 * The vectors of one entity type, for exact scans: the vectors themselves, and a byte for each number of them, from which a
 * scan sees which few rows can be among the best. The bytes have a memory of their own, so that the 4 GiB of a WebAssembly
 * memory are all for what is scanned; the vectors lie in as many others as they need. The memories are drawn in `layout.ts`.
 */
export class ScanTable extends ScanRows {
  /** No vector that was ever written is longer, by its L2 norm. */
  longest = 0;
  /** A vector that is to be written, and what is summed over its numbers. */
  readonly #incoming: Float32Array;
  readonly #sums: Float64Array;
  readonly #largest: Exported;
  readonly #encode: Exported;
  /** The memory that is scanned, as floats, as of its last growth: asking a memory for its buffer takes as long as a dozen measures. */
  #grown: Float32Array;
  /** Rows that the memories have room for. */
  #room = 0;

  /** @throws FatalError when so many rows do not fit into a WebAssembly memory. */
  constructor({ dim, maxRows, scanners, pieceRows }: ScanSize) {
    const size = { dim, scanners };
    const most = mostScanRows(size);
    if (maxRows > most) {
      throw new FatalError(
        'table-size',
        `a table of ${maxRows} vectors of ${dim} numbers can't be scanned; at most ${most} fit into the 4 GiB of a WebAssembly memory`,
      );
    }
    const layout = layOutScan(size);
    const codes = sharedMemory(pagesOf(layout, 0), pagesOf(layout, maxRows));
    const vectorLayout = layOutVectors(size);
    const each = pieceRows ?? vectorLayout.mostRows;
    const vectors = Array.from({ length: Math.ceil(maxRows / each) }, (_, piece) => {
      const rows = Math.min(each, maxRows - piece * each);
      return sharedMemory(pagesOf(vectorLayout, 0), pagesOf(vectorLayout, rows));
    });
    super({ ...size, maxRows, pieceRows: each, codes, vectors });
    const { incoming, sums } = layout;
    this.#incoming = new Float32Array(codes.buffer, incoming, dim);
    this.#sums = new Float64Array(codes.buffer, sums, CODE_SUMS);
    // Vectors are encoded without relaxed SIMD: every machine writes the same bytes.
    const instance = new CompiledInstance(SCAN_FILE, codes);
    instance.setGlobals({ incoming, sums, vectorBytes: vectorLayout.vectorBytes });
    this.#largest = instance.functionOf('largest');
    this.#encode = instance.functionOf('encode');
    this.#grown = this.floats;
  }

  /**
   * Sets the vector of a row. vector: [dim]. The rows between the highest one so far and this one are cleared.
   * @throws ShapeError for a vector of another length, or a row that is no row.
   * @throws FatalError when a number is not finite, or the row is beyond the table's `maxRows`.
   */
  write(row: number, vector: Float32Array): void {
    const { dim } = this;
    if (vector.length !== dim) {
      throw new ShapeError(`the vector of row ${row} has ${vector.length} numbers; expected ${dim}`);
    }
    this.#incoming.set(vector);
    const largest = this.#largest();
    if (!(largest <= MAX_FLOAT)) throw notFinite(row, vector);
    this.#reserve(row);
    this.vectorsOf(row).set(vector, this.vectorAt(row));
    this.#put(row, largest);
  }

  /** Takes the vector of a row away: the row is never found until it is written again. */
  clear(row: number): void {
    if (!this.has(row)) return;
    this.#erase(row);
    // It may be the vector that was written last.
    this.#incoming.fill(0);
  }

  /** Writes the codes of the incoming vector, and the measures of both. largest: the largest |number|. */
  #put(row: number, largest: number): void {
    const exactScale = Math.fround(largest / MAX_CODE);
    // So near to 0, a float32 has too few bits for codes up to 127: the whole vector counts as residual.
    const scale = exactScale < MIN_SCALE ? 0 : exactScale;
    this.#encode(this.#codesAt(row), scale, scale > 0 ? 1 / scale : 0);
    const sums = this.#sums;
    const [sum, squares, lost] = [sums[0]!, sums[1]!, sums[2]!];
    const length = scale * Math.sqrt(squares);
    // 2^-40 is more than the sum in float64 can lose.
    const residual = ceil32(Math.sqrt(lost) * (1 + 2 ** -40));
    this.longest = Math.max(this.longest, ceil32(length) + residual);
    this.#measure(row, scale, residual, length <= MAX_LENGTH ? ceil32(length) : Number.NaN, scale * sum);
  }

  #erase(row: number): void {
    const { codeDim } = this.layout;
    const start = this.vectorAt(row);
    this.vectorsOf(row).fill(0, start, start + this.dim);
    const codes = this.#codesAt(row);
    this.bytes.fill(0, codes, codes + codeDim);
    this.#measure(row);
  }

  /** Writes what a scan knows of a row beside its codes: unless given, that it has no vector, which its residual says. */
  #measure(row: number, scale = 0, residual = Number.NEGATIVE_INFINITY, length = 0, sum = 0): void {
    const floats = this.#grown;
    const at = measuresAt(this.layout, row);
    floats[at] = scale;
    floats[at + 4] = residual;
    floats[at + 8] = length;
    floats[at + 12] = sum;
  }

  #reserve(row: number): void {
    const { maxRows } = this.place;
    if (!Number.isInteger(row) || row < 0) throw new ShapeError(`row ${row} is no row of a table`);
    if (row >= maxRows) {
      throw new FatalError('table-full', `row ${row} is beyond the ${maxRows} rows that can be scanned`);
    }
    const { rows } = this;
    if (row < rows) return;
    if (row >= this.#room) this.#grow(row + 1);
    this.rows = row + 1;
    // Nothing was ever written there.
    for (let added = rows; added < row; added++) this.#measure(added);
  }

  #grow(rows: number): void {
    const { codes, vectors, pieceRows } = this.place;
    growTo(codes, pagesOf(this.layout, rows));
    for (const [piece, memory] of vectors.entries()) {
      const held = Math.min(pieceRows, rows - piece * pieceRows);
      if (held > 0) growTo(memory, pagesOf(this.vectorLayout, held));
    }
    this.#grown = this.floats;
    this.#room = BLOCK_ROWS * Math.ceil(rows / BLOCK_ROWS);
  }

  #codesAt(row: number): number {
    return blockAt(this.layout, row) + (row % BLOCK_ROWS) * this.layout.codeDim;
  }
}

function sharedMemory(initial: number, maximum: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial, maximum, shared: true });
}

function growTo(memory: WebAssembly.Memory, pages: number): void {
  const more = pages - memory.buffer.byteLength / PAGE_BYTES;
  if (more > 0) memory.grow(more);
}

function notFinite(row: number, vector: Float32Array): FatalError {
  const k = vector.findIndex((number) => !Number.isFinite(number));
  const value = vector[k];
  return new FatalError(
    'vector-not-finite',
    `number ${k} of the vector of row ${row} is ${value}; a vector has finite numbers only. Look for its writer: twhin check finds such vectors in a store`,
  );
}
