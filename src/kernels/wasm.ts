import type { Chunk, Kernel } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, checkScored } from './chunk.ts';
import { type Instance, instantiate, type WasmBuild } from './instance.ts';
import { chunkIn, layOut } from './workspace.ts';

/**
 * The compiled kernel (`assembly/`, SIMD in float32) on the table's own memory. Its workspace lies below the table's
 * rows; a step allocates nothing. The same chunks in the same order give the same bytes: from the plain build on every
 * machine, from the relaxed build (which may fuse a multiply-add) on the same machine.
 */
export class WasmKernel implements Kernel {
  readonly name: WasmBuild;
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #table: Table;
  readonly #instance: Instance;
  readonly #scoredRows: Int32Array;
  readonly #scoredValues: Float32Array;

  /** @throws FatalError when the table has too little room below its rows. */
  constructor(build: WasmBuild, table: Table, settings: ModelSettings, size: ChunkSize) {
    this.name = build;
    this.#table = table;
    const workspace = layOut(settings.dim, size);
    const { chunk, losses } = chunkIn(table, workspace, settings, size);
    this.chunk = chunk;
    this.losses = losses;
    const scored = Math.max(size.maxCandidates, 1);
    this.#scoredRows = new Int32Array(table.memory.buffer, workspace.scoredRows, scored);
    this.#scoredValues = new Float32Array(table.memory.buffer, workspace.scoredValues, scored);
    this.#instance = instantiate(build, table, settings, workspace);
  }

  step(): number {
    const { chunk } = this;
    checkChunk(chunk, this.#table);
    return this.#instance.step(chunk.edges, chunk.lhsCount, chunk.rhsCount, chunk.learningRate);
  }

  scores(anchor: number, relationRow: number, candidates: Int32Array, out: Float32Array): void {
    checkScored(this.#table, anchor, relationRow, candidates, out);
    const most = this.#scoredRows.length;
    for (let start = 0; start < candidates.length; start += most) {
      const part = candidates.subarray(start, start + most);
      this.#scoredRows.set(part);
      this.#instance.scores(anchor, relationRow, part.length);
      out.set(this.#scoredValues.subarray(0, part.length), start);
    }
  }
}
