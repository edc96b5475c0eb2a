import { typeOf } from '../../graph/entity.ts';
import type { EntityIndex } from '../../graph/entity-index.ts';
import type { Checkpoint } from '../training/trainer.ts';
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
  readonly #moves = new Map<string, Window>();
  readonly #norms = new Map<string, Window>();

  /** Takes an evenly spread sample of the rows that a commit publishes. dim: numbers in a vector. */
  add({ rows, floats, publish, moved }: Checkpoint, index: EntityIndex, dim: number): void {
    const stride = Math.max(1, Math.floor(rows.length / LOOKED_AT));
    for (let i = 0; i < rows.length; i += stride) {
      const key = publish[i] === 1 ? index.keyAt(rows[i]!) : undefined;
      if (key === undefined) continue;
      const type = typeOf(key);
      const at = i * (dim + 2);
      windowOf(this.#norms, type).add(lengthOf(floats.subarray(at, at + dim)));
      const move = moved[i]!;
      if (!Number.isNaN(move)) windowOf(this.#moves, type).add(move);
    }
  }

  byType(): Record<string, Moved> {
    const entries = [...this.#norms].map(([type, norms]) => {
      const moves = this.#moves.get(type);
      return [type, { mean: moves?.mean, p99: moves?.quantile(0.99), norm: norms.mean ?? 0 }] as const;
    });
    return Object.fromEntries(entries);
  }
}

function windowOf(windows: Map<string, Window>, type: string): Window {
  let window = windows.get(type);
  if (window === undefined) {
    window = new Window();
    windows.set(type, window);
  }
  return window;
}

function lengthOf(vector: Float32Array): number {
  let square = 0;
  for (let k = 0; k < vector.length; k++) square += vector[k]! * vector[k]!;
  return Math.sqrt(square);
}
