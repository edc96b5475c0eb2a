import { ShapeError } from '../errors/errors.ts';
import { NO_TYPE } from '../graph/checkpoint.ts';
import type { Random } from './random.ts';

/** The rows of each entity type, ascending: draws are the same before and after a restart. */
export class TypeRows {
  readonly #typeOf: Uint8Array;
  readonly #rows: Int32Array[];
  readonly #counts: Int32Array;

  /** types: the number of entity types, at most 255; maxRows: that of the table. */
  constructor(types: number, maxRows: number) {
    if (types > NO_TYPE) throw new ShapeError(`${types} entity types; at most ${NO_TYPE} are possible`);
    this.#typeOf = new Uint8Array(maxRows).fill(NO_TYPE);
    this.#rows = Array.from({ length: types }, () => new Int32Array(16));
    this.#counts = new Int32Array(types);
  }

  /** The index of the row's entity type, or {@link NO_TYPE}. */
  typeOf(row: number): number {
    return this.#typeOf[row] ?? NO_TYPE;
  }

  count(type: number): number {
    return this.#counts[type] ?? 0;
  }

  /** [count] rows of a type, ascending: a view, valid until the next change. */
  rows(type: number): Int32Array {
    return this.#rows[type]!.subarray(0, this.count(type));
  }

  /** Appends a row to its type. @throws ShapeError when the type is unknown or the row is not above all others of its type. */
  add(row: number, type: number): void {
    const count = this.count(type);
    const rows = this.#room(type, count + 1, row);
    if (count > 0 && rows[count - 1]! >= row) {
      throw new ShapeError(`row ${row} added after row ${rows[count - 1]} of type ${type}; rows must ascend`);
    }
    rows[count] = row;
    this.#counts[type] = count + 1;
    this.#typeOf[row] = type;
  }

  /**
   * Merges rows into those of a type, in one pass. added: ascending.
   * @throws ShapeError when the type is unknown, or an added row already has a type.
   */
  insert(added: Int32Array, type: number): void {
    for (const row of added) {
      if (this.typeOf(row) !== NO_TYPE)
        throw new ShapeError(`row ${row} is of type ${this.typeOf(row)} already`);
    }
    let from = this.count(type) - 1;
    let to = from + added.length;
    const rows = this.#room(type, to + 1, added[0]);
    this.#counts[type] = to + 1;
    for (let i = added.length - 1; i >= 0; to--) {
      if (from >= 0 && rows[from]! > added[i]!) rows[to] = rows[from--]!;
      else rows[to] = added[i--]!;
    }
    for (const row of added) this.#typeOf[row] = type;
  }

  /** The rows of a type, with room for `count`. */
  #room(type: number, count: number, row: number | undefined): Int32Array {
    const rows = this.#rows[type];
    if (rows === undefined) {
      throw new ShapeError(`row ${row} has entity type ${type}; there are ${this.#rows.length}`);
    }
    if (count <= rows.length) return rows;
    const grown = new Int32Array(Math.max(count, Math.ceil(rows.length * 1.5)));
    grown.set(rows);
    this.#rows[type] = grown;
    return grown;
  }

  /** Removes rows, in one pass over each type concerned. */
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

  /** Fills `out` with rows of the type, each equally likely. The type must have a row. */
  draw(type: number, random: Random, out: Int32Array): void {
    const rows = this.#rows[type]!;
    random.integers(this.#counts[type]!, out);
    for (let k = 0; k < out.length; k++) out[k] = rows[out[k]!]!;
  }
}
