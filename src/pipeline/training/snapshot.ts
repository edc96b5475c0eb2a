import { type CheckpointBlock, type CheckpointRows, checkpointRows } from '../../graph/checkpoint.ts';
import type { KnownPositives } from '../../sampling/known-positives.ts';

/** What a snapshot reads; all of it may change while the snapshot is taken. */
export interface SnapshotParts {
  /** Rows in use. */
  readonly rows: number;
  /** Numbers of a row. */
  readonly width: number;
  /** Rows of each block but the last. */
  readonly blockRows: number;
  readonly known: KnownPositives;
  /** Copies a row's numbers, its type and whether it is trained to a place. */
  copy(row: number, to: CheckpointRows, place: number): void;
}

/** Rows copied aside lie in pages of so many: an object for each took most of the time of a snapshot. */
const PAGE_ROWS = 1 << 12;

/**
 * A table and its live edges as of one moment, taken block by block while the training goes on: a row is copied aside before it
 * moves, unless its block is taken already. The edges, which are few bytes each, are copied at once.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  /** The first row that is not taken yet. */
  #next = 0;
  /** [rows] 1 + the slot of a row that was copied aside, or 0. */
  readonly #slots: Int32Array;
  readonly #pages: CheckpointRows[] = [];
  /** Slots whose rows are taken. */
  readonly #free: number[] = [];
  #used = 0;
  readonly #edges: ReturnType<KnownPositives['frozen']>;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    this.#slots = new Int32Array(parts.rows);
    this.#edges = parts.known.frozen();
  }

  /** Rows copied aside. */
  get setAside(): number {
    return this.#used - this.#free.length;
  }

  /** To be called before a row moves or gets another type. */
  keep(row: number): void {
    if (row < this.#next || row >= this.#parts.rows || this.#slots[row] !== 0) return;
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#pages.length * PAGE_ROWS)
      this.#pages.push(checkpointRows(PAGE_ROWS, this.#parts.width));
    this.#parts.copy(row, this.#pages[Math.floor(slot / PAGE_ROWS)]!, slot % PAGE_ROWS);
    this.#slots[row] = 1 + slot;
  }

  /** The next rows. spent: numbers of a block that nobody needs any more. */
  take(spent?: Float32Array): CheckpointBlock | undefined {
    const { rows, width, blockRows } = this.#parts;
    const first = this.#next;
    const count = Math.min(blockRows, rows - first);
    if (count === 0) return undefined;
    const block = checkpointRows(count, width, spent);
    for (let i = 0; i < count; i++) {
      const slot = this.#slots[first + i]! - 1;
      if (slot < 0) this.#parts.copy(first + i, block, i);
      else this.#takeBack(slot, block, i);
    }
    this.#next = first + count;
    return { ...block, edges: this.#edges(first, count) };
  }

  #takeBack(slot: number, to: CheckpointRows, place: number): void {
    const { width } = this.#parts;
    const { types, trained, floats } = this.#pages[Math.floor(slot / PAGE_ROWS)]!;
    const from = slot % PAGE_ROWS;
    to.types[place] = types[from]!;
    to.trained[place] = trained[from]!;
    for (let k = 0; k < width; k++) to.floats[place * width + k] = floats[from * width + k]!;
    this.#free.push(slot);
  }
}
