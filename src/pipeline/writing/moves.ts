import { typeOf } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import { norm } from '../../graph/nearest.ts';
import type { Due } from '../training/trainer.ts';
import { Window } from '../window.ts';

/** Rows that are sampled of a commit: enough for means and quantiles, and little beside the write. */
const LOOKED_AT = 512;

/** Recently published vectors of an entity type. */
export interface Moved {
  /** Path since the last publication, mean and p99; undefined while all vectors were new. */
  readonly mean: number | undefined;
  readonly p99: number | undefined;
  /** Mean length. */
  readonly norm: number;
}

/** How far vectors move from one publication to the next, and how long they are, by entity type. */
export class Moves {
  readonly #types = new Map<string, { readonly moves: Window; readonly norms: Window }>();

  /** Takes an evenly spread sample of the rows that a commit publishes. dim: numbers in a vector. */
  add(
    { rows, vectors, moved }: Pick<Due, 'rows' | 'vectors' | 'moved'>,
    index: EntityIndex,
    dim: number,
  ): void {
    const stride = Math.max(1, Math.floor(rows.length / LOOKED_AT));
    for (let i = 0; i < rows.length; i += stride) {
      const key = index.keyAt(rows[i]!);
      if (key === undefined) continue;
      const type = typeOf(key);
      const windows = this.#types.get(type) ?? { moves: new Window(), norms: new Window() };
      this.#types.set(type, windows);
      windows.norms.add(norm(vectors.subarray(i * dim, (i + 1) * dim), dim));
      if (!Number.isNaN(moved[i]!)) windows.moves.add(moved[i]!);
    }
  }

  byType(): Record<string, Moved> {
    const entries = [...this.#types].map(([type, { moves, norms }]) => {
      return [type, { mean: moves.mean, p99: moves.quantile(0.99), norm: norms.mean ?? 0 }] as const;
    });
    return Object.fromEntries(entries);
  }
}
