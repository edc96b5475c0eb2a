import type { TypeRows } from './type-rows.ts';

/** A row's place in a fixed shuffle of all rows: murmur3's finaliser, one to one on 32 bits. */
export function rowHash(row: number): number {
  let hash = row;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Up to `size` rows of each type to rank against: those with the smallest hash. Uniform over a type's rows, the same
 * for the same rows whatever their history, and changing rarely as rows come.
 */
export class FixedCandidates {
  readonly #size: number;
  readonly #rows: TypeRows;
  /** By type: rows by ascending hash, or undefined after one of them was dropped. */
  readonly #chosen: (number[] | undefined)[];

  constructor(options: { types: number; size: number; rows: TypeRows }) {
    this.#size = options.size;
    this.#rows = options.rows;
    this.#chosen = Array.from({ length: options.types }, () => []);
  }

  /** Tells of a row just added to its type. */
  add(row: number, type: number): void {
    const chosen = this.#chosen[type];
    if (chosen !== undefined) this.#insert(chosen, row);
  }

  /** Tells of a row just dropped from its type. */
  drop(row: number, type: number): void {
    if (this.#chosen[type]?.includes(row)) this.#chosen[type] = undefined;
  }

  /** The type's candidates. Chosen anew from all rows of the type only after one was dropped. */
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
    let low = 0;
    let high = chosen.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rowHash(chosen[middle]!) < hash) low = middle + 1;
      else high = middle;
    }
    chosen.splice(low, 0, row);
    if (full) chosen.pop();
  }
}
