import type { Random } from './random.ts';

/** Rows of which any can be drawn, added or removed at a cost that does not depend on their number. Their order does not last. */
export class RowBag {
  readonly #rows: number[] = [];
  readonly #places = new Map<number, number>();

  get size(): number {
    return this.#rows.length;
  }

  /** Adds a row; one that is there already stays once. */
  add(row: number): void {
    if (this.#places.has(row)) return;
    this.#places.set(row, this.#rows.length);
    this.#rows.push(row);
  }

  remove(row: number): void {
    const place = this.#places.get(row);
    if (place === undefined) return;
    const last = this.#rows.pop()!;
    this.#places.delete(row);
    if (last === row) return;
    this.#rows[place] = last;
    this.#places.set(last, place);
  }

  /** A row, each equally likely. There must be one. */
  draw(random: Random): number {
    return this.#rows[random.below(this.#rows.length)]!;
  }
}
