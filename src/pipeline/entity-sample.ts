import type { EntityKey } from '../graph/entity.ts';
import type { EntityIndex } from '../graph/entity-index.ts';
import { FixedCandidates } from '../sampling/fixed-candidates.ts';
import type { Trainer } from './training/trainer.ts';

const SIZE = 600;

export interface SampledEntity {
  readonly key: EntityKey;
  /** [dim] as the trainer has it. */
  readonly vector: Float32Array;
}

/** A steady sample of a graph's entities, for pictures. */
export class EntitySample {
  readonly #trainer: Pick<Trainer, 'vectors'>;
  readonly #index: EntityIndex;
  readonly #chosen: FixedCandidates;
  /** Rows below this one were looked at. */
  #seen = 0;

  constructor(trainer: Pick<Trainer, 'vectors'>, index: EntityIndex, size = SIZE) {
    this.#trainer = trainer;
    this.#index = index;
    this.#chosen = new FixedCandidates({ types: 1, size, rows: { rows: () => this.#inUse(0) } });
  }

  /** limit: rows that the trainer knows. */
  async read(limit: number): Promise<SampledEntity[]> {
    for (const row of this.#inUse(this.#seen)) this.#chosen.add(row, 0);
    this.#seen = this.#index.nextRow;
    for (const row of this.#chosen.of(0)) if (!this.#index.names.has(row)) this.#chosen.drop(row, 0);
    const rows = this.#chosen.of(0).filter((row) => row < limit);
    const keys = rows.map((row) => this.#index.keyAt(row));
    const vectors = await this.#trainer.vectors(Int32Array.from(rows));
    const dim = vectors.length / rows.length;
    return rows.flatMap((row, i) => {
      const key = keys[i];
      // Another entity may have the row by now.
      if (key === undefined || this.#index.keyAt(row) !== key) return [];
      return [{ key, vector: vectors.subarray(i * dim, (i + 1) * dim) }];
    });
  }

  *#inUse(first: number): Iterable<number> {
    const { names, nextRow } = this.#index;
    for (let row = first; row < nextRow; row++) if (names.has(row)) yield row;
  }
}
