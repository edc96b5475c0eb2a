import { adagradUpdate, intoUnitBall, moveOf } from '../model/adagrad.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';

/** Moves rows by their gradients: row-wise Adagrad, the unit ball, drift. In float64; what is written back is rounded. */
export class RowUpdater {
  readonly #table: Table;
  readonly #settings: Pick<ModelSettings, 'learningRate' | 'unitBall'>;
  /** [dim] a row before and after its move. */
  readonly #before: Float64Array;
  readonly #after: Float64Array;

  constructor(table: Table, settings: Pick<ModelSettings, 'learningRate' | 'unitBall'>) {
    this.#table = table;
    this.#settings = settings;
    this.#before = new Float64Array(table.dim);
    this.#after = new Float64Array(table.dim);
  }

  /**
   * gradient: [dim], summed over all appearances of the row; where it is all 0, nothing is written.
   * isEntity: whether the unit ball holds the row.
   */
  update(row: number, gradient: Float64Array, isEntity: boolean): void {
    if (isZero(gradient)) return;
    const { floats, accumulator, drift, dim } = this.#table;
    const before = this.#before;
    const after = this.#after;
    const at = this.#table.at(row);
    for (let k = 0; k < dim; k++) before[k] = floats[at + k]!;
    after.set(before);
    floats[at + accumulator] = adagradUpdate(
      after,
      gradient,
      floats[at + accumulator]!,
      this.#settings.learningRate,
    );
    if (this.#settings.unitBall && isEntity) intoUnitBall(after);
    for (let k = 0; k < dim; k++) after[k] = floats[at + k] = Math.fround(after[k]!);
    floats[at + drift]! += moveOf(before, after);
  }
}

function isZero(gradient: Float64Array): boolean {
  for (let k = 0; k < gradient.length; k++) if (gradient[k] !== 0) return false;
  return true;
}
