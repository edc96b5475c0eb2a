import { ShapeError } from '../../errors/errors.ts';
import type { Table } from '../../model/table.ts';
import type { Random } from '../../sampling/random.ts';
import { NO_TYPE, type TypeRows } from '../../sampling/type-rows.ts';
import type { Checkpoint, CheckpointOptions, LoadedRows, TrainerSettings } from './trainer.ts';

/** Minimum interval between two scans for rows that are due by age. */
const SCAN_EVERY_MS = 1_000;
/** Upper bound of rows that a checkpoint takes for being due, beside changed rows: bounds its memory. */
const SLICE_ROWS = 32_768;
/**
 * Memory for this many rows is reserved at once and filled as needed. Reserving more with each growing commit would
 * keep earlier memory until each of three threads has collected its garbage.
 */
const ROOM_ROWS = 192 * 1024;
/** Times of a row's last publication, beside epoch milliseconds. */
const NEVER = 0;
const BEFORE_LOAD = Number.POSITIVE_INFINITY;
/** How far a row moved since its publication: MOVED is published by age, HELD as soon as holding back ends. */
const MOVED = 1;
const HELD = 2;

/**
 * What is known of each row beyond its numbers: whether it was trained, changed since the last checkpoint, moved since
 * it was published, and when that was. 11 bytes a row.
 */
export class TrainerRows {
  /** [maxRows] 1: was an end of a trained edge. */
  readonly trained: Uint8Array;
  readonly #table: Table;
  readonly #types: TypeRows;
  /** [maxRows] 1: to be written at the next checkpoint. */
  readonly #dirty: Uint8Array;
  #dirtyRows: number[] = [];
  /** [maxRows] MOVED or HELD as of the last checkpoint, else 0. Spares the scan a look into the table. */
  readonly #moved: Uint8Array;
  /** Number of rows that are HELD. */
  #held = 0;
  readonly #publishedAt: Float64Array;
  #loaded = false;
  #scannedAt = Number.NEGATIVE_INFINITY;
  /** Row at which the next scan starts. */
  #nextDue = 0;

  constructor(table: Table, types: TypeRows) {
    this.#table = table;
    this.#types = types;
    this.trained = new Uint8Array(table.maxRows);
    this.#dirty = new Uint8Array(table.maxRows);
    this.#moved = new Uint8Array(table.maxRows);
    this.#publishedAt = new Float64Array(table.maxRows);
  }

  /** Rows changed since the last checkpoint. */
  get changed(): number {
    return this.#dirtyRows.length;
  }

  /** Marks a row as changed. */
  touch(row: number): void {
    if (this.#dirty[row] === 1) return;
    this.#dirty[row] = 1;
    this.#dirtyRows.push(row);
  }

  /** Zeros a row and makes it untrained and never published: a new or an erased row. */
  clear(row: number): void {
    const at = this.#table.at(row);
    this.#table.floats.fill(0, at, at + this.#table.stride);
    this.trained[row] = 0;
    this.#publishedAt[row] = NEVER;
    this.touch(row);
  }

  /**
   * Fills the table's rows from `first` on with stored ones.
   * @throws ShapeError when the arrays disagree.
   */
  load(first: number, rows: LoadedRows): void {
    const { dim, accumulator, drift, floats } = this.#table;
    const count = rows.types.length;
    const width = dim + 2;
    if (rows.trained.length !== count || rows.floats.length !== count * width) {
      throw new ShapeError(
        `${count} rows with ${rows.trained.length} trained flags and ${rows.floats.length} floats; ` +
          `expected ${count} and ${count * width}`,
      );
    }
    for (let i = 0; i < count; i++) {
      const row = first + i;
      const at = this.#table.at(row);
      const from = i * width;
      floats.set(rows.floats.subarray(from, from + dim), at);
      floats[at + accumulator] = rows.floats[from + dim]!;
      floats[at + drift] = rows.floats[from + dim + 1]!;
      this.trained[row] = rows.trained[i]!;
      this.#moved[row] = rows.floats[from + dim + 1]! > 0 ? MOVED : 0;
      this.#publishedAt[row] = BEFORE_LOAD;
    }
    this.#loaded = true;
  }

  /** [count, dim + 2] a copy of the rows from `first` on. @throws ShapeError where some of them are not in use. */
  read(first: number, count: number): Float32Array {
    const { dim, rows } = this.#table;
    if (first < 0 || first + count > rows) {
      throw new ShapeError(`rows ${first} to ${first + count} were asked for; ${rows} are in use`);
    }
    const copy = new Float32Array(count * (dim + 2));
    for (let i = 0; i < count; i++) this.#copy(first + i, copy, i * (dim + 2));
    return copy;
  }

  /** Copies a row's vector, accumulator and drift. */
  #copy(row: number, into: Float32Array, to: number): void {
    const { dim, accumulator, drift, floats } = this.#table;
    const at = this.#table.at(row);
    into.set(floats.subarray(at, at + dim), to);
    into[to + dim] = floats[at + accumulator]!;
    into[to + dim + 1] = floats[at + drift]!;
  }

  /** Copies changed rows aside, and decides which to publish. */
  checkpoint(options: CheckpointOptions): Omit<Checkpoint, 'step' | 'random'> {
    const { now, everything, epsilon } = options;
    const { dim, drift, floats } = this.#table;
    if (this.#loaded) this.#publishLoaded(now);
    // A clock that is set back must not hold up rows.
    const scan = everything || now < this.#scannedAt || now - this.#scannedAt >= SCAN_EVERY_MS;
    if (scan) {
      this.#touchDue(options);
      this.#scannedAt = now;
    }

    const rows = Int32Array.from(this.#dirtyRows).sort();
    const width = dim + 2;
    const copy = sharedFloats(rows.length, width, options.spare);
    const publish = new Uint8Array(rows.length);
    const movedBy = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      const at = this.#table.at(row);
      const moved = floats[at + drift]!;
      const published = this.#publishedAt[row]!;
      const entity = this.#types.typeOf(row) !== NO_TYPE;
      const far = moved > epsilon ? HELD : MOVED;
      movedBy[i] = !entity || published === NEVER ? Number.NaN : moved;
      if (entity && (published === NEVER || (moved > 0 && isDue(far, published, options)))) {
        publish[i] = 1;
        floats[at + drift] = 0;
        this.#publishedAt[row] = now;
      }
      this.#copy(row, copy, i * width);
      this.#dirty[row] = 0;
      if (this.#moved[row] === HELD) this.#held--;
      this.#moved[row] = entity && floats[at + drift]! > 0 ? far : 0;
      if (this.#moved[row] === HELD) this.#held++;
    }
    this.#dirtyRows = [];
    return { rows, floats: copy, publish, moved: movedBy, held: this.#held };
  }

  /**
   * Marks rows that moved and are due by now, or all that moved: publishing changes their drift. Each scan goes on
   * where the last one ended; otherwise the last rows of a large table would never have their turn.
   */
  #touchDue(options: CheckpointOptions): void {
    const moved = this.#moved;
    const publishedAt = this.#publishedAt;
    const rows = this.#table.rows;
    const enough = this.#dirtyRows.length + SLICE_ROWS;
    let row = this.#nextDue;
    for (let looked = 0; looked < rows && this.#dirtyRows.length < enough; looked++) {
      row = row < rows ? row : 0;
      const far = moved[row]!;
      if (far > 0 && isDue(far, publishedAt[row]!, options) && this.#types.typeOf(row) !== NO_TYPE)
        this.touch(row);
      row++;
    }
    this.#nextDue = row;
  }

  /**
   * The publication time of a loaded row is not stored: it counts as now, so that a restart does not publish all rows
   * at once.
   */
  #publishLoaded(now: number): void {
    const rows = this.#table.rows;
    for (let row = 0; row < rows; row++) {
      if (this.#publishedAt[row] === BEFORE_LOAD) this.#publishedAt[row] = now;
    }
    this.#loaded = false;
  }
}

/** Whether a row that moved this far, and was published then, is to be published again. */
function isDue(
  far: number,
  published: number,
  { now, everything, maxAgeMs, holdMs }: CheckpointOptions,
): boolean {
  const age = now - published;
  // A clock that is set back must not hold back the row.
  return everything || age > maxAgeMs || (far === HELD && (age >= holdMs || age < 0));
}

/** Memory shared with the calling thread and the thread that writes. */
function sharedFloats(rows: number, width: number, spare: SharedArrayBuffer | undefined): Float32Array {
  const bytes = rows * width * 4;
  const room = Math.max(bytes, ROOM_ROWS * width * 4);
  const memory = spare !== undefined && spare.byteLength >= bytes ? spare : new SharedArrayBuffer(room);
  return new Float32Array(memory, 0, rows * width);
}

/** Adds a number uniform in ±scale to each number of a vector. */
export function scatter(vector: Float32Array, scale: number, random: Random): void {
  for (let k = 0; k < vector.length; k++) vector[k]! += (2 * random.uniform() - 1) * scale;
}

/**
 * Starts rows at random, within the unit ball where the model has one. rows: [n] ascending, each once, all zero.
 * The mean of an entity's neighbours was tried in its place, and ranked worse: docs/adr/010-recipe.md.
 */
export function startRows(
  rows: Int32Array,
  table: Table,
  { initScale, model }: Pick<TrainerSettings, 'initScale' | 'model'>,
  random: Random,
): void {
  for (const row of rows) scatter(table.vector(row), initScale, random);
  if (model.unitBall) for (const row of rows) shrink(table.vector(row));
}

function shrink(vector: Float32Array): void {
  let square = 0;
  for (let k = 0; k < vector.length; k++) square += vector[k]! * vector[k]!;
  if (square <= 1) return;
  const factor = 1 / Math.sqrt(square);
  for (let k = 0; k < vector.length; k++) vector[k]! *= factor;
}
