import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { RowSample } from './row-sample.ts';

const SIZE = 600;
/** The sample begins anew once so manyth a part of all rows were handed out again. */
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
  /** Rows that had been handed out again when the sample began. */
  #reused = 0;

  constructor(store: GraphStore, index: EntityIndex) {
    this.#store = store;
    this.#index = index;
  }

  async read(): Promise<SampledEntity[]> {
    const { nextRow, reused } = this.#index;
    // Rows that were left out, or left it, may be entities' again.
    if (reused - this.#reused > nextRow / RENEWED) {
      this.#rows = new RowSample(SIZE);
      this.#reused = reused;
    }
    const rows = this.#rows.of(nextRow, (row) => this.#index.keyAt(row) !== undefined);
    const keys = rows.map((row) => this.#index.keyAt(row));
    const stored = await this.#store.readRows(rows);
    const { dim } = this.#store.layout;
    return stored.flatMap((row, i) => {
      const key = keys[i];
      // The row may be another's by now.
      if (row === undefined || key === undefined || this.#index.keyAt(row.row) !== key) return [];
      return [{ key, vector: row.floats.subarray(0, dim) }];
    });
  }
}
