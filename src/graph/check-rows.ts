const PAGE_ROWS = 65_536;

/** What is known of a row while a store is looked through. */
export const NAMED = 1;
export const TRAINED = 2;
export const STORED = 4;

/** A few bits for each row, kept where there are any: a row number that damage made up takes one page. */
export class RowMarks {
  readonly #pages = new Map<number, Uint8Array>();

  at(row: number): number {
    return this.#pages.get(Math.floor(row / PAGE_ROWS))?.[row % PAGE_ROWS] ?? 0;
  }

  mark(row: number, bits: number): void {
    const number = Math.floor(row / PAGE_ROWS);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_ROWS);
      this.#pages.set(number, page);
    }
    page[row % PAGE_ROWS] = (page[row % PAGE_ROWS] ?? 0) | bits;
  }
}
