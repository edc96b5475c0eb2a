import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import type { GraphStore } from '../graph/graph-store.ts';
import { FixedCandidates } from '../sampling/fixed-candidates.ts';

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
  readonly #chosen: FixedCandidates;
  /** Rows below this one were looked at. */
  #seen = 0;

  constructor(store: GraphStore, index: EntityIndex, size = SIZE) {
    this.#store = store;
    this.#index = index;
    this.#chosen = new FixedCandidates({ types: 1, size, rows: { rows: () => this.#inUse(0) } });
  }

  async read(): Promise<SampledEntity[]> {
    for (const row of this.#inUse(this.#seen)) this.#chosen.add(row, 0);
    this.#seen = this.#index.nextRow;
    for (const row of this.#chosen.of(0)) if (!this.#index.names.has(row)) this.#chosen.drop(row, 0);
    const rows = this.#chosen.of(0);
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

  *#inUse(first: number): Iterable<number> {
    const { names, nextRow } = this.#index;
    for (let row = first; row < nextRow; row++) if (names.has(row)) yield row;
  }
}
