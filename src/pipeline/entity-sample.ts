import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { rowHash } from '../sampling/fixed-candidates.ts';

const SIZE = 600;
/** The sample begins anew once this fraction of all rows (1/n) was used again. */
const RENEWED = 8;

export interface SampledEntity {
  readonly key: EntityKey;
  /** [dim] as of the last commit. */
  readonly vector: Float32Array;
}

/** A steady sample of a graph's entities, for pictures. */
export class EntitySample {
  readonly #store: GraphStore;
  readonly #index: EntityIndex;
  #rows = new RowSample(SIZE);
  /** How many rows had been used again when the sample began. */
  #reused = 0;

  constructor(store: GraphStore, index: EntityIndex) {
    this.#store = store;
    this.#index = index;
  }

  async read(): Promise<SampledEntity[]> {
    const { nextRow, free } = this.#index;
    // Rows that the sample left out may belong to entities again.
    if (free.taken - this.#reused > nextRow / RENEWED) {
      this.#rows = new RowSample(SIZE);
      this.#reused = free.taken;
    }
    const rows = this.#rows.of(nextRow, (row) => this.#index.keyAt(row) !== undefined);
    const keys = rows.map((row) => this.#index.keyAt(row));
    const stored = await this.#store.readRows(rows);
    const { dim } = this.#store.layout;
    return stored.flatMap((row, i) => {
      const key = keys[i];
      // Another entity may have the row by now.
      if (row === undefined || key === undefined || this.#index.keyAt(row.row) !== key) return [];
      return [{ key, vector: row.floats.subarray(0, dim) }];
    });
  }
}

/**
 * A steady sample of rows: the rows whose numbers have the lowest hashes. As rows are added, the sample changes only
 * where a new row takes another's place.
 */
export class RowSample {
  readonly #size: number;
  /** Highest hash first: the next row to be replaced. */
  #rows: { row: number; hash: number }[] = [];
  #seen = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** The sample of rows 0 … rows − 1 that `wanted` accepts, ascending. */
  of(rows: number, wanted: (row: number) => boolean): number[] {
    // Fewer rows than before: this is another store.
    if (rows < this.#seen) [this.#rows, this.#seen] = [[], 0];
    this.#rows = this.#rows.filter(({ row }) => wanted(row));
    for (; this.#seen < rows; this.#seen++) {
      const hash = rowHash(this.#seen);
      if (this.#rows.length === this.#size && hash >= (this.#rows[0]?.hash ?? 0)) continue;
      if (wanted(this.#seen)) this.#take({ row: this.#seen, hash });
    }
    return this.#rows.map(({ row }) => row).sort((a, b) => a - b);
  }

  #take(taken: { row: number; hash: number }): void {
    if (this.#rows.length === this.#size) this.#rows.shift();
    const at = this.#rows.findIndex(({ hash }) => hash < taken.hash);
    this.#rows.splice(at === -1 ? this.#rows.length : at, 0, taken);
  }
}
