/** The place of a row in a fixed shuffle of all rows: the finaliser of murmur3, a bijection of 32-bit numbers. */
export function rowHash(row: number): number {
  let hash = row;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface RowsByType {
  /** Every row of a type, in any order. */
  rows(type: number): Iterable<number>;
}

/** Up to `size` rows of each type with the smallest hash: uniform, dependent on these rows alone, and rarely changed by new ones. */
export class FixedCandidates {
  readonly #size: number;
  readonly #rows: RowsByType;
  /** By type: rows by ascending hash; undefined after one of the rows was dropped. */
  readonly #chosen: (number[] | undefined)[];

  constructor(options: { types: number; size: number; rows: RowsByType }) {
    this.#size = options.size;
    this.#rows = options.rows;
    this.#chosen = Array.from({ length: options.types }, () => []);
  }

  add(row: number, type: number): void {
    const chosen = this.#chosen[type];
    if (chosen !== undefined) this.#insert(chosen, row);
  }

  drop(row: number, type: number): void {
    if (this.#chosen[type]?.includes(row)) this.#chosen[type] = undefined;
  }

  /** The candidates of a type. They are chosen again from all its rows only after a candidate was dropped. */
  of(type: number): readonly number[] {
    let chosen = this.#chosen[type];
    if (chosen === undefined) {
      chosen = [];
      for (const row of this.#rows.rows(type)) this.#insert(chosen, row);
      this.#chosen[type] = chosen;
    }
    return chosen;
  }

  #insert(chosen: number[], row: number): void {
    const hash = rowHash(row);
    const last = chosen.at(-1);
    const full = chosen.length >= this.#size;
    if (full && (last === undefined || hash > rowHash(last))) return;
    const place = chosen.findLastIndex((other) => rowHash(other) < hash) + 1;
    chosen.splice(place, 0, row);
    if (full) chosen.pop();
  }
}
