import { type CheckpointBlock, type CheckpointRows, NO_TYPE } from '../../graph/checkpoint.ts';
import type { Table } from '../../model/table.ts';
import { type Random, TWO_32 } from '../../sampling/random.ts';
import type { TypeRows } from '../../sampling/type-rows.ts';
import type { Snapshot } from './snapshot.ts';
import type { Due, DueOptions, GivenDue, TrainerSettings } from './trainer.ts';

/** Minimum interval between two scans for rows that are due by age. */
const SCAN_EVERY_MS = 1_000;
/** Upper bound of rows that a scan finds, beside changed rows: bounds the memory of an answer. */
const SLICE_ROWS = 32_768;
/**
 * Upper bound of rows that moved little and are due by age, of a scan. Nearly every row of a table moves a little within a minute: without
 * the bound, all were published again each minute, and that took more time than the training once there were millions.
 */
const AGED_ROWS = 8_192;
/** Time of a row's last publication, beside epoch milliseconds. */
const BEFORE_LOAD = Number.POSITIVE_INFINITY;
/** Bits of a word. */
const WORD = 32;
/** A row that only rehearsal and negatives move goes so many times as far before it is published at once: docs/adr/047. */
const FARTHER = 4;
/**
 * What a row did since its publication. NEW: it was never published. STILL: it did not move. MOVED: it is published by age. AGED: its age
 * has come. MET: it is an end of a new edge since the last `due`. HELD: it moved far, and is published as soon as holding back ends. FAR: it
 * moved far without a new edge while the updater is behind, and is published by age, or once the updater has caught up.
 */
const [NEW, STILL, MOVED, AGED, MET, FAR, HELD] = [0, 1, 2, 3, 4, 5, 6];

/**
 * What is known of each row beyond its numbers: whether it was trained, changed since it was last looked at, moved since it
 * was published, and when that was. 10 bytes a row.
 */
export class TrainerRows {
  /** [maxRows] 1: was an end of a trained edge. */
  readonly trained: Uint8Array;
  /** Told of each row before it changes. */
  snapshot: Snapshot | undefined;
  readonly #table: Table;
  readonly #types: TypeRows;
  /** [maxRows / WORD] A bit a row, 1: the next `due` looks at it; and how many are 1. Bits, because each row of a chunk asks for its own. */
  readonly #dirty: Int32Array;
  #dirtyRows = 0;
  /** [maxRows] NEW to HELD as of the last `due`, but for AGED and MET. Most rows need no look into the table or at their times for it. */
  readonly #states: Uint8Array;
  /** Rows that new edges moved since the last `due`. */
  readonly #met: number[] = [];
  /** Number of rows that are FAR or HELD. */
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
    this.#dirty = new Int32Array(Math.ceil(table.maxRows / WORD));
    this.#states = new Uint8Array(table.maxRows);
    this.#publishedAt = new Float64Array(table.maxRows);
  }

  /** Marks a row that is about to change. */
  touch(row: number): void {
    const bit = 1 << (row % WORD);
    const word = this.#dirty[row >>> 5]!;
    if ((word & bit) !== 0) return;
    this.snapshot?.keep(row);
    this.#dirty[row >>> 5] = word | bit;
    this.#dirtyRows++;
  }

  /** Notes that a new edge moves a row, or may: other shards' gradients do not say of what edges they are. */
  meet(row: number): void {
    this.#met.push(row);
  }

  /** Zeros a row and makes it untrained and never published: a new or an erased row. */
  clear(row: number): void {
    this.#set(row, NEW);
    const at = this.#table.at(row);
    this.#table.floats.fill(0, at, at + this.#table.stride);
    this.trained[row] = 0;
  }

  /** Marks a row, and says what it did. */
  #set(row: number, state: number): void {
    this.touch(row);
    if (this.#states[row]! >= FAR) this.#held--;
    this.#states[row] = state;
  }

  /** Fills the table's rows from `first` on with those of a checkpoint. */
  load(first: number, { trained, floats: numbers }: CheckpointBlock): void {
    const { dim, accumulator, drift, floats } = this.#table;
    this.trained.set(trained, first);
    this.#publishedAt.fill(BEFORE_LOAD, first, first + trained.length);
    for (let i = 0; i < trained.length; i++) {
      const row = first + i;
      const at = this.#table.at(row);
      const from = i * (dim + 2);
      const moved = numbers[from + dim + 1]!;
      const isPublished = Number.isFinite(moved);
      floats.set(numbers.subarray(from, from + dim), at);
      floats[at + accumulator] = numbers[from + dim]!;
      floats[at + drift] = isPublished ? moved : 0;
      this.#states[row] = isPublished ? (moved > 0 ? MOVED : STILL) : NEW;
      if (!isPublished) this.touch(row);
    }
    this.#loaded = true;
  }

  /** Copies a row to a place as a checkpoint has it: its drift is Infinity where the vector was never published. */
  copy(row: number, to: CheckpointRows, place: number): void {
    const { dim, accumulator, drift, floats } = this.#table;
    const at = this.#table.at(row);
    const from = place * (dim + 2);
    const type = this.#types.typeOf(row);
    const isNew = type !== NO_TYPE && this.#states[row] === NEW;
    for (let k = 0; k < dim; k++) to.floats[from + k] = floats[at + k]!;
    to.floats[from + dim] = floats[at + accumulator]!;
    to.floats[from + dim + 1] = isNew ? Number.POSITIVE_INFINITY : floats[at + drift]!;
    to.types[place] = type;
    to.trained[place] = this.trained[row]!;
  }

  /** Notes rows that an earlier trainer gave as due by now: what is acknowledged counts as published when it was loaded. */
  gave({ rows, isAcknowledged }: GivenDue): void {
    const { drift, floats } = this.#table;
    for (const row of rows) {
      this.#set(row, isAcknowledged ? STILL : NEW);
      if (isAcknowledged) floats[this.#table.at(row) + drift] = 0;
      this.#publishedAt[row] = BEFORE_LOAD;
    }
    this.#met.length = 0;
    this.#loaded = true;
  }

  /** Makes every row due that changed since it was last looked at, and these. */
  republish(rows: Int32Array): void {
    for (const row of rows) this.touch(row);
    for (const row of this.#changed()) this.#set(row, NEW);
  }

  /** The rows that are due; they count as published from now on. */
  due(options: DueOptions): Pick<Due, 'rows' | 'vectors' | 'moved' | 'held'> {
    const { now, everything, epsilon, holdMs, named } = options;
    const [{ drift, floats }, states] = [this.#table, this.#states];
    for (const row of this.#met.splice(0))
      if (states[row]! > NEW) states[row] = states[row]! < FAR ? MET : HELD;
    if (epsilon === Number.POSITIVE_INFINITY) {
      // A snapshot begins with what changes from now on.
      this.#changed();
      return { rows: new Int32Array(), vectors: new Float32Array(), moved: new Float32Array(), held: 0 };
    }
    if (this.#loaded) {
      // When a loaded row was published is not stored. It counts as now: a restart is not to publish all rows at once.
      for (let row = 0; row < this.#table.rows; row++)
        if (this.#publishedAt[row] === BEFORE_LOAD) this.#publishedAt[row] = now;
      this.#loaded = false;
    }
    // A clock that is set back must not hold up rows.
    if (everything || now < this.#scannedAt || now - this.#scannedAt >= SCAN_EVERY_MS) {
      this.#touchDue(options);
      this.#scannedAt = now;
    }
    for (const row of named) this.#set(row, NEW);
    const changed = this.#changed();
    const due = new Int32Array(changed.length);
    const movedBy = new Float32Array(changed.length);
    let count = 0;
    // All drifts first: nothing waits for one of them then, and they come from memory side by side.
    for (let i = 0; i < changed.length; i++) movedBy[i] = floats[this.#table.at(changed[i]!) + drift]!;
    for (let i = 0; i < changed.length; i++) {
      const row = changed[i]!;
      const moved = movedBy[i]!;
      const was = states[row]!;
      const isMet = was === MET || was === HELD;
      const far = isMet || holdMs === 0 ? HELD : FAR;
      let state = moved > (isMet ? epsilon : FARTHER * epsilon) ? far : moved > 0 ? MOVED : STILL;
      // Others are not looked up: most rows are negatives that moved a little. A scan finds what is published by age.
      if (state >= FAR || was === AGED || was === NEW || everything) {
        const isOld = state === HELD ? !isHeld(this.#publishedAt[row]!, options) : was === AGED || everything;
        if (this.#types.typeOf(row) === NO_TYPE) state = STILL;
        else if (was === NEW || (moved > 0 && isOld)) {
          due[count] = row;
          movedBy[count++] = was === NEW ? Number.NaN : moved;
          floats[this.#table.at(row) + drift] = 0;
          this.#publishedAt[row] = now;
          state = STILL;
        }
      }
      if (was >= FAR) this.#held--;
      if (state >= FAR) this.#held++;
      states[row] = state;
    }
    const rows = due.slice(0, count);
    const vectors = this.#table.vectors(rows, options.spent);
    return { rows, vectors, moved: movedBy.slice(0, count), held: this.#held };
  }

  /** The rows that changed since it was last asked, ascending. */
  #changed(): Int32Array {
    const rows = new Int32Array(this.#dirtyRows);
    let count = 0;
    for (let at = 0; at < this.#dirty.length; at++) {
      for (let word = this.#dirty[at]!; word !== 0; word &= word - 1)
        rows[count++] = WORD * at + 31 - Math.clz32(word & -word);
      this.#dirty[at] = 0;
    }
    this.#dirtyRows = 0;
    return rows;
  }

  /**
   * Marks rows that moved and are due by now, or all that moved: publishing changes their drift. Each scan goes on
   * where the last one ended; otherwise the last rows of a large table would never have their turn.
   */
  #touchDue(options: DueOptions): void {
    const [states, { rows }] = [this.#states, this.#table];
    const most = this.#dirtyRows + SLICE_ROWS;
    const { now, everything, maxAgeMs, holdMs } = options;
    const old = everything ? Number.POSITIVE_INFINITY : now - Math.max(maxAgeMs, holdMs);
    let row = this.#nextDue;
    let passedOver: number | undefined;
    for (let looked = 0, aged = 0; looked < rows && this.#dirtyRows < most; looked++, row++) {
      row = row < rows ? row : 0;
      const state = states[row]!;
      if (state <= STILL) continue;
      const published = this.#publishedAt[row]!;
      const byAge = state < (holdMs > 0 ? HELD : FAR);
      // Most moved a little, and were published not long ago.
      if (byAge ? passedOver !== undefined || published >= old : isHeld(published, options)) continue;
      if (this.#types.typeOf(row) === NO_TYPE) continue;
      if (byAge && !everything && aged++ >= AGED_ROWS) {
        passedOver = row;
        // Only rows that are held back could still be found.
        if (this.#held === 0) break;
      } else if (byAge) this.#set(row, AGED);
      else this.touch(row);
    }
    this.#nextDue = passedOver ?? row;
  }
}

/** Whether a row that moved far, and was published then, is held back. A clock that is set back does not hold it. */
function isHeld(published: number, { now, everything, holdMs }: DueOptions): boolean {
  return !everything && now - published < holdMs && now >= published;
}

/** Adds a number uniform in ±scale to each number of a vector. words: [dim] scratch. */
export function scatter(vector: Float32Array, scale: number, random: Random, words: Uint32Array): void {
  random.fill(words);
  for (let k = 0; k < vector.length; k++) vector[k]! += (2 * (words[k]! / TWO_32) - 1) * scale;
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
  const words = new Uint32Array(table.dim);
  for (const row of rows) {
    const vector = table.vector(row);
    scatter(vector, initScale, random, words);
    if (model.unitBall) shrink(vector);
  }
}

function shrink(vector: Float32Array): void {
  let square = 0;
  for (let k = 0; k < vector.length; k++) square += vector[k]! * vector[k]!;
  if (square <= 1) return;
  const factor = 1 / Math.sqrt(square);
  for (let k = 0; k < vector.length; k++) vector[k]! *= factor;
}
