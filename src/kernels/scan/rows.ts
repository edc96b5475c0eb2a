import { ShapeError } from '../../errors/errors.ts';
import { BLOCK_ROWS, layOutScan, measuresAt, type ScanLayout, type ScanSize, vectorAt } from './layout.ts';
import type { RowVectors } from './scan.ts';

/** Where the vectors of a scan table are: everything that another thread needs to scan them, as a message can hold it. */
export interface ScanPlace extends ScanSize {
  readonly memory: WebAssembly.Memory;
}

/**
 * The vectors of a scan table, for reading, in any thread. A writer and scanners never work at the same time: the caller
 * sees to it, and lets other threads know of a change by a message, after which they see all of it.
 */
export class ScanRows implements RowVectors {
  readonly place: ScanPlace;
  readonly dim: number;
  readonly layout: ScanLayout;
  readonly #header: Int32Array;
  #floats: Float32Array;
  #bytes: Int8Array;

  constructor(place: ScanPlace) {
    this.place = place;
    this.dim = place.dim;
    this.layout = layOutScan(place);
    // A shared memory never moves: views of its beginning stay valid when it grows.
    this.#header = new Int32Array(place.memory.buffer, this.layout.rowsInUse, 1);
    this.#floats = new Float32Array(place.memory.buffer);
    this.#bytes = new Int8Array(place.memory.buffer);
  }

  get rows(): number {
    return this.#header[0]!;
  }

  protected set rows(rows: number) {
    this.#header[0] = rows;
  }

  /** The whole memory as floats. Take the view again after a row was added, which can make the memory larger. */
  get floats(): Float32Array {
    const { buffer } = this.place.memory;
    if (buffer !== this.#floats.buffer) this.#floats = new Float32Array(buffer);
    return this.#floats;
  }

  /** The whole memory as bytes. Take the view again after a row was added. */
  get bytes(): Int8Array {
    const { buffer } = this.place.memory;
    if (buffer !== this.#bytes.buffer) this.#bytes = new Int8Array(buffer);
    return this.#bytes;
  }

  /** Bytes of memory for each row. */
  get bytesPerRow(): number {
    return this.layout.blockBytes / BLOCK_ROWS;
  }

  has(row: number): boolean {
    if (!(row >= 0 && row < this.rows)) return false;
    return this.floats[measuresAt(this.layout, row) + 4]! >= 0;
  }

  /**
   * [dim]: a view of the row's vector, valid until the memory grows.
   * @throws ShapeError when the row has none.
   */
  vector(row: number): Float32Array {
    if (!this.has(row)) throw new ShapeError(`row ${row} has no vector`);
    const start = vectorAt(this.layout, row);
    return this.floats.subarray(start, start + this.dim);
  }
}
