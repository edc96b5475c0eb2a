const PAGE_SHIFT = 12;
const PAGE_ROWS = 1 << PAGE_SHIFT;
/** Bytes of a row. */
const ROW_BYTES = 17;

interface Page {
  readonly activeAt: Float64Array;
  readonly vectorAt: Float64Array;
  readonly superseded: Uint8Array;
}

/**
 * What a table knows of each row beside its vector and its name. In pages outside V8's heap, so that twenty million rows move nothing
 * when they grow. All is 0 at first.
 */
export class RowFacts {
  readonly #pages: Page[] = [];
  #superseded = 0;

  get bytes(): number {
    return this.#pages.length * PAGE_ROWS * ROW_BYTES;
  }

  /** Time of the newest event that names the row's entity, epoch ms; 0 where none is known. */
  activeAt(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]!.activeAt[row & (PAGE_ROWS - 1)]!;
  }

  /** Time of the newest event that the row's vector has learned, epoch ms. */
  vectorAt(row: number): number {
    return this.#pages[row >> PAGE_SHIFT]!.vectorAt[row & (PAGE_ROWS - 1)]!;
  }

  /** Whether the newest record of the row's entity is of another space. */
  isSuperseded(row: number): boolean {
    return this.#pages[row >> PAGE_SHIFT]!.superseded[row & (PAGE_ROWS - 1)] === 1;
  }

  /** Rows that are superseded. */
  get superseded(): number {
    return this.#superseded;
  }

  setActiveAt(row: number, at: number): void {
    this.#pageOf(row).activeAt[row & (PAGE_ROWS - 1)] = at;
  }

  setVectorAt(row: number, at: number): void {
    this.#pageOf(row).vectorAt[row & (PAGE_ROWS - 1)] = at;
  }

  setSuperseded(row: number, isSuperseded: boolean): void {
    if (this.isSuperseded(row) === isSuperseded) return;
    this.#superseded += isSuperseded ? 1 : -1;
    this.#pageOf(row).superseded[row & (PAGE_ROWS - 1)] = isSuperseded ? 1 : 0;
  }

  #pageOf(row: number): Page {
    const page = row >> PAGE_SHIFT;
    while (this.#pages.length <= page)
      this.#pages.push({
        activeAt: new Float64Array(PAGE_ROWS),
        vectorAt: new Float64Array(PAGE_ROWS),
        superseded: new Uint8Array(PAGE_ROWS),
      });
    return this.#pages[page]!;
  }
}
