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

/** A steady sample of a graph's entities, for pictures. Gives what reads it; limit: rows that the trainer knows. */
export function sampleOf(trainer: Pick<Trainer, 'vectors'>, index: EntityIndex, size = SIZE) {
  const chosen = new FixedCandidates({ types: 1, size, rows: { rows: () => rowsInUse(index, 0) } });
  /** Rows below this one were looked at. */
  let seen = 0;
  return async (limit: number): Promise<SampledEntity[]> => {
    for (const row of rowsInUse(index, seen)) chosen.add(row, 0);
    seen = index.nextRow;
    for (const row of chosen.of(0)) if (!index.names.has(row)) chosen.drop(row, 0);
    const rows = chosen.of(0).filter((row) => row < limit);
    const keys = rows.map((row) => index.keyAt(row));
    const vectors = await trainer.vectors(Int32Array.from(rows));
    const dim = vectors.length / rows.length;
    return rows.flatMap((row, i) => {
      const key = keys[i];
      // Another entity may have the row by now.
      if (key === undefined || index.keyAt(row) !== key) return [];
      return [{ key, vector: vectors.subarray(i * dim, (i + 1) * dim) }];
    });
  };
}

function* rowsInUse({ names, nextRow }: EntityIndex, first: number): Iterable<number> {
  for (let row = first; row < nextRow; row++) if (names.has(row)) yield row;
}
