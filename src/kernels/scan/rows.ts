import { ShapeError } from '../../errors/errors.ts';
import {
  layOutScan,
  layOutVectors,
  measuresAt,
  type ScanLayout,
  type ScanSize,
  type VectorLayout,
} from './layout.ts';

/** Where a scan table is: everything that another thread needs to scan it, as a message can hold it. */
export interface ScanPlace extends Required<ScanSize> {
  /** What is scanned. */
  readonly codes: WebAssembly.Memory;
  /** All memories with vectors that the table can ever need: each is small until it has rows. */
  readonly vectors: readonly WebAssembly.Memory[];
}

/** A scan table's rows, for reading in any thread. The caller keeps writer and scanners apart, and tells threads of a change by message. */
export class ScanRows {
  readonly place: ScanPlace;
  readonly dim: number;
  readonly layout: ScanLayout;
  readonly vectorLayout: VectorLayout;
  readonly #header: Int32Array;
  #floats: Float32Array;
  #bytes: Int8Array;
  /** Each memory with vectors as floats, as of when its last row was asked for. */
  readonly #vectors: Float32Array[];
  readonly #pieceRows: number;
  /** Floats before the first vector of a memory, and of each vector. */
  readonly #before: number;
  readonly #each: number;

  constructor(place: ScanPlace) {
    this.place = place;
    this.dim = place.dim;
    this.layout = layOutScan(place);
    this.vectorLayout = layOutVectors(place);
    // A shared memory never moves: views of its beginning stay valid when it grows.
    this.#header = new Int32Array(place.codes.buffer, this.layout.rowsInUse, 1);
    this.#floats = new Float32Array(place.codes.buffer);
    this.#bytes = new Int8Array(place.codes.buffer);
    this.#pieceRows = place.pieceRows;
    this.#before = this.vectorLayout.vectors / 4;
    this.#each = this.vectorLayout.paddedDim;
    this.#vectors = place.vectors.map(({ buffer }) => new Float32Array(buffer));
  }

  /** One more than the highest row in use; rows below it can be cleared. */
  get rows(): number {
    return this.#header[0]!;
  }

  protected set rows(rows: number) {
    this.#header[0] = rows;
  }

  /** The memory that is scanned, as floats. Take the view again after a row was added, which can make the memory larger. */
  get floats(): Float32Array {
    const { buffer } = this.place.codes;
    if (buffer !== this.#floats.buffer) this.#floats = new Float32Array(buffer);
    return this.#floats;
  }

  /** The memory that is scanned, as bytes. Take the view again after a row was added. */
  get bytes(): Int8Array {
    const { buffer } = this.place.codes;
    if (buffer !== this.#bytes.buffer) this.#bytes = new Int8Array(buffer);
    return this.#bytes;
  }

  get memoryBytes(): number {
    const { codes, vectors } = this.place;
    return [codes, ...vectors].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  }

  /** Whether the row has a vector. */
  has(row: number): boolean {
    if (!(row >= 0 && row < this.rows)) return false;
    return this.floats[measuresAt(this.layout, row) + 4]! >= 0;
  }

  /** [dim]: a view of the row's vector. @throws ShapeError when the row has none. */
  vector(row: number): Float32Array {
    if (!this.has(row)) throw new ShapeError(`row ${row} has no vector`);
    const start = this.vectorAt(row);
    return this.vectorsOf(row).subarray(start, start + this.dim);
  }

  /** The memory that has the row's vector, as floats. */
  protected vectorsOf(row: number): Float32Array {
    const piece = Math.floor(row / this.#pieceRows);
    const known = this.#vectors[piece]!;
    if (this.vectorAt(row) + this.#each <= known.length) return known;
    const grown = new Float32Array(this.place.vectors[piece]!.buffer);
    this.#vectors[piece] = grown;
    return grown;
  }

  /** The index of the row's first number in the memory that has its vector. */
  protected vectorAt(row: number): number {
    return this.#before + (row % this.#pieceRows) * this.#each;
  }
}
