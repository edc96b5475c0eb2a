import { FatalError, ShapeError } from '../../errors/errors.ts';
import { CompiledInstance, type Exported } from '../compiled.ts';
import { ceil32 } from './float32.ts';
import {
  BLOCK_ROWS,
  blockAt,
  CODE_SUMS,
  layOutScan,
  MAX_SCAN_PAGES,
  measuresAt,
  type ScanSize,
  scanPages,
  vectorAt,
} from './layout.ts';
import { ScanRows } from './rows.ts';

const MAX_CODE = 127;
/** Rows longer than this have no bound in float32, and are always scored exactly. */
const MAX_LENGTH = 2 ** 56;
/** A smaller scale would be near the smallest float32. */
const MIN_SCALE = 2 ** -120;
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;
/** Vectors are encoded without relaxed SIMD: every machine writes the same bytes. */
const BUILD = new URL('./scan-plain.wasm', import.meta.url);

/**
 * The vectors of one entity type, for exact scans: the vectors themselves, and a byte for each number of them, from which a
 * scan sees which few rows can be among the best. The memory is drawn in `layout.ts`.
 */
export class ScanTable extends ScanRows {
  /** A vector that is to be written, and what is summed over its numbers. */
  readonly #incoming: Float32Array;
  readonly #sums: Float64Array;
  readonly #largest: Exported;
  readonly #encode: Exported;
  /** The whole memory as floats, as of the last growth: asking a memory for its buffer takes as long as a dozen measures. */
  #grown: Float32Array;
  /** Rows that the memory has room for. */
  #room = 0;

  /** @throws FatalError when so many rows do not fit into a WebAssembly memory. */
  constructor(size: ScanSize) {
    const layout = layOutScan(size);
    const maximum = scanPages(layout, size.maxRows);
    if (maximum > MAX_SCAN_PAGES) {
      throw new FatalError(
        'table-size',
        `${size.maxRows} rows of ${size.dim} floats to be scanned need ${maximum} memory pages; ${MAX_SCAN_PAGES} are 4 GiB`,
      );
    }
    const memory = new WebAssembly.Memory({ initial: scanPages(layout, 0), maximum, shared: true });
    super({ dim: size.dim, maxRows: size.maxRows, scanners: size.scanners, memory });
    const { incoming, sums, paddedDim } = layout;
    this.#incoming = new Float32Array(memory.buffer, incoming, size.dim);
    this.#sums = new Float64Array(memory.buffer, sums, CODE_SUMS);
    const instance = new CompiledInstance(BUILD, memory);
    instance.setGlobals({ incoming, sums, vectorBytes: 4 * paddedDim });
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
    this.#put(row, largest);
  }

  /** Takes the vector of a row away: the row is never found until it is written again. */
  clear(row: number): void {
    if (!this.has(row)) return;
    this.#erase(row);
    // It may be the vector that was written last.
    this.#incoming.fill(0);
  }

  /** Writes the incoming vector, its codes, and the measures of both. largest: the largest |number|. */
  #put(row: number, largest: number): void {
    const exactScale = Math.fround(largest / MAX_CODE);
    // So near to 0, a float32 has too few bits for codes up to 127: the whole vector counts as residual.
    const scale = exactScale < MIN_SCALE ? 0 : exactScale;
    this.#encode(4 * vectorAt(this.layout, row), this.#codesAt(row), scale, scale > 0 ? 1 / scale : 0);
    const sums = this.#sums;
    const [sum, squares, lost] = [sums[0]!, sums[1]!, sums[2]!];
    const length = scale * Math.sqrt(squares);
    this.#measure(row, {
      scale,
      // 2^-40 is more than the sum in float64 can lose.
      residual: ceil32(Math.sqrt(lost) * (1 + 2 ** -40)),
      length: length <= MAX_LENGTH ? ceil32(length) : Number.NaN,
      sum: scale * sum,
    });
  }

  #erase(row: number): void {
    const { codeDim, paddedDim } = this.layout;
    const start = vectorAt(this.layout, row);
    this.floats.fill(0, start, start + paddedDim);
    const codes = this.#codesAt(row);
    this.bytes.fill(0, codes, codes + codeDim);
    this.#measure(row, { scale: 0, residual: Number.NEGATIVE_INFINITY, length: 0, sum: 0 });
  }

  #measure(row: number, of: { scale: number; residual: number; length: number; sum: number }): void {
    const floats = this.#grown;
    const at = measuresAt(this.layout, row);
    floats[at] = of.scale;
    floats[at + 4] = of.residual;
    floats[at + 8] = of.length;
    floats[at + 12] = of.sum;
  }

  #reserve(row: number): void {
    const { maxRows, memory } = this.place;
    if (!Number.isInteger(row) || row < 0) throw new ShapeError(`row ${row} is no row of a table`);
    if (row >= maxRows) {
      throw new FatalError('table-full', `row ${row} is beyond the ${maxRows} rows that can be scanned`);
    }
    const { rows } = this;
    if (row < rows) return;
    if (row >= this.#room) {
      const more = scanPages(this.layout, row + 1) - memory.buffer.byteLength / 65_536;
      if (more > 0) memory.grow(more);
      this.#grown = this.floats;
      this.#room = BLOCK_ROWS * Math.ceil((row + 1) / BLOCK_ROWS);
    }
    this.rows = row + 1;
    for (let added = rows; added < row; added++) this.#erase(added);
  }

  #codesAt(row: number): number {
    return blockAt(this.layout, row) + (row % BLOCK_ROWS) * this.layout.codeDim;
  }
}

function notFinite(row: number, vector: Float32Array): FatalError {
  const k = vector.findIndex((number) => !Number.isFinite(number));
  const value = vector[k];
  return new FatalError(
    'vector-not-finite',
    `number ${k} of the vector of row ${row} is ${value}; a vector has finite numbers only`,
  );
}
