import { ShapeError } from '../errors.ts';
import type { Random } from './random.ts';

/** Type of a row that is no entity's: a relation's, a dropped one, or one not in use yet. */
export const NO_TYPE = 255;

/**
 * The rows of each entity type, ascending. The order is by row number and nothing else, so that draws are the same
 * before and after a restart.
 */
export class TypeRows {
  readonly #typeOf: Uint8Array;
  readonly #rows: Int32Array[];
  readonly #counts: Int32Array;

  /** types: how many entity types, at most 255; maxRows: the table's. */
  constructor(types: number, maxRows: number) {
    if (types > NO_TYPE) throw new ShapeError(`${types} entity types; at most ${NO_TYPE} are possible`);
    this.#typeOf = new Uint8Array(maxRows).fill(NO_TYPE);
    this.#rows = Array.from({ length: types }, () => new Int32Array(16));
    this.#counts = new Int32Array(types);
  }

  /** Index of the row's entity type, or {@link NO_TYPE}. */
  typeOf(row: number): number {
    return this.#typeOf[row] ?? NO_TYPE;
  }

  /** How many rows a type has. */
  count(type: number): number {
    return this.#counts[type] ?? 0;
  }

  /** [count] rows of a type, ascending: a view, good until the next change. */
  rows(type: number): Int32Array {
    return this.#rows[type]!.subarray(0, this.count(type));
  }

  /**
   * Appends a row to its type.
   * @throws ShapeError when the type is unknown or the row isn't above all others of its type.
   */
  add(row: number, type: number): void {
    let rows = this.#rows[type];
    if (rows === undefined) {
      throw new ShapeError(`row ${row} has entity type ${type}; there are ${this.#rows.length}`);
    }
    const count = this.#counts[type]!;
    if (count > 0 && rows[count - 1]! >= row) {
      throw new ShapeError(`row ${row} added after row ${rows[count - 1]} of type ${type}; rows must ascend`);
    }
    if (count === rows.length) {
      const grown = new Int32Array(Math.ceil(count * 1.5));
      grown.set(rows);
      this.#rows[type] = grown;
      rows = grown;
    }
    rows[count] = row;
    this.#counts[type] = count + 1;
    this.#typeOf[row] = type;
  }

  /** Takes rows out. One pass over each type concerned, however many rows go. */
  drop(dropped: Int32Array): void {
    const concerned = new Set<number>();
    for (const row of dropped) {
      const type = this.typeOf(row);
      if (type === NO_TYPE) continue;
      this.#typeOf[row] = NO_TYPE;
      concerned.add(type);
    }
    for (const type of concerned) {
      const rows = this.#rows[type]!;
      const count = this.#counts[type]!;
      let kept = 0;
      for (let i = 0; i < count; i++) {
        const row = rows[i]!;
        if (this.#typeOf[row] === type) rows[kept++] = row;
      }
      this.#counts[type] = kept;
    }
  }

  /** A row of the type, each equally likely. The type must have one. */
  draw(type: number, random: Random): number {
    return this.#rows[type]![random.below(this.#counts[type]!)]!;
  }
}
