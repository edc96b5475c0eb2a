import { RowUpdater } from '../model/adagrad.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';

/** The gradients of a step, summed by row in float64. Rows move at its end: all gradients are taken at the values before the step. */
export class RowGradients {
  readonly #table: Table;
  readonly #updater: RowUpdater;
  readonly #sums = new Map<number, Float64Array>();

  constructor(table: Table, settings: Pick<ModelSettings, 'unitBall'>) {
    this.#table = table;
    this.#updater = new RowUpdater(table, settings);
  }

  clear(): void {
    this.#sums.clear();
  }

  /** [dim] the sum of a row, to be added to. */
  of(row: number): Float64Array {
    const sum = this.#sums.get(row) ?? new Float64Array(this.#table.dim);
    this.#sums.set(row, sum);
    return sum;
  }

  /** Moves the rows, and keeps the sums of foreign ones. */
  apply(firstEntity: number, learningRate: number): void {
    for (const [row, gradient] of this.#sums) {
      if (this.#table.isForeign(row)) continue;
      this.#updater.update(row, gradient, row >= firstEntity, learningRate);
      this.#sums.delete(row);
    }
  }

  /** See `Kernel.foreignGradients`. */
  visitForeign(visit: (row: number, gradient: Float32Array) => void): void {
    for (const [row, gradient] of this.#sums) visit(row, Float32Array.from(gradient));
  }
}
