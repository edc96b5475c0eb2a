import { RowUpdater } from '../model/adagrad.ts';
import type { Chunk, ChunkSide, Kernel, KernelName, ScoreMatrix } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, createChunk } from './chunk.ts';

/** Sums gradients by row in float64, in plain TypeScript. Rows move at the end of a step, by gradients at the values before it. */
export abstract class SummingKernel implements Kernel {
  abstract readonly name: KernelName;
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  protected readonly table: Table;
  protected readonly settings: ModelSettings;
  readonly #updater: RowUpdater;
  readonly #sums = new Map<number, Float64Array>();

  constructor(table: Table, settings: ModelSettings, size: ChunkSize) {
    this.table = table;
    this.settings = settings;
    this.#updater = new RowUpdater(table, settings);
    this.chunk = createChunk(size, settings);
    this.losses = new Float32Array(size.maxEdges);
  }

  step(): number {
    const { chunk, table } = this;
    const firstEntity = checkChunk(chunk, table);
    this.#sums.clear();
    const losses = new Float64Array(chunk.edges);
    for (const side of [chunk.sides.rhs, chunk.sides.lhs])
      if (chunk.edges > 0 && side.count > 0) this.addSide(side, losses);
    for (const [row, gradient] of this.#sums) {
      if (table.isForeign(row)) continue;
      this.#updater.update(row, gradient, row >= firstEntity, chunk.learningRate);
      this.#sums.delete(row);
    }
    this.losses.set(losses);
    return losses.reduce((sum, loss) => sum + loss, 0);
  }

  foreignGradients(visit: (row: number, gradient: Float32Array) => void): void {
    for (const [row, gradient] of this.#sums) visit(row, Float32Array.from(gradient));
  }

  abstract scoreMatrix(...asked: ScoreMatrix): void;

  /** Adds the gradients of a side with candidates to the sums of their rows, and its losses by edge. losses: [edges]. */
  protected abstract addSide(side: ChunkSide, losses: Float64Array): void;

  /** [dim] the sum of a row, to be added to. */
  protected gradientOf(row: number): Float64Array {
    const sum = this.#sums.get(row) ?? new Float64Array(this.table.dim);
    this.#sums.set(row, sum);
    return sum;
  }
}
