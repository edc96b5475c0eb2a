import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { RowSample } from './row-sample.ts';

const SIZE = 600;

export interface SampledEntity {
  readonly key: EntityKey;
  /** [dim] as of the last commit. */
  readonly vector: Float32Array;
}

/** A steady sample of a graph's entities, for pictures. */
export class EntitySample {
  readonly #store: GraphStore;
  readonly #index: EntityIndex;
  readonly #rows = new RowSample(SIZE);

  constructor(store: GraphStore, index: EntityIndex) {
    this.#store = store;
    this.#index = index;
  }

  async read(): Promise<SampledEntity[]> {
    const rows = this.#rows.of(this.#index.nextRow, (row) => this.#index.keyAt(row) !== undefined);
    const keys = rows.map((row) => this.#index.keyAt(row));
    const stored = await this.#store.readRows(rows);
    const { dim } = this.#store.layout;
    return stored.flatMap((row, i) => {
      const key = keys[i];
      return row === undefined || key === undefined ? [] : [{ key, vector: row.floats.subarray(0, dim) }];
    });
  }
}
