const PAGE_SHIFT = 14;
const PAGE_ROWS = 1 << PAGE_SHIFT;

type Numbers = Float64Array | Int32Array | Uint32Array | Uint8Array;

/**
 * A number for each row or id, 0 at first. In pages outside V8's heap, so that twenty million rows move nothing when they grow.
 * A page begins with its first number. Rejected: Map, which takes 40 bytes an entry and no more than 16.7 million entries.
 */
export class PagedNumbers {
  readonly #pages: Numbers[] = [];
  readonly #newPage: (rows: number) => Numbers;

  constructor(newPage: (rows: number) => Numbers) {
    this.#newPage = newPage;
  }

  get bytes(): number {
    return this.#pages.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  get(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]?.[row & (PAGE_ROWS - 1)] ?? 0;
  }

  /** The numbers of rows, read side by side: a caller that acts on each before it asks for the next waits for memory each time. */
  getMany(rows: Int32Array): Float64Array {
    const numbers = new Float64Array(rows.length);
    for (let i = 0; i < rows.length; i++) numbers[i] = this.get(rows[i]!);
    return numbers;
  }

  set(row: number, value: number): void {
    const page = row >> PAGE_SHIFT;
    this.#pages[page] ??= this.#newPage(PAGE_ROWS);
    this.#pages[page][row & (PAGE_ROWS - 1)] = value;
  }
}
