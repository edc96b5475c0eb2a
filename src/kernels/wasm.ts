import type { Chunk, Kernel, ScoreMatrix, WasmKernelName } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, checkScoreMatrix } from './chunk.ts';
import { type Instance, instantiate } from './instance.ts';
import { chunkIn, layOut } from './workspace.ts';

/**
 * The compiled kernel (`assembly/`, SIMD in float32) on the table's own memory. Its workspace lies below the table's
 * rows; a step allocates nothing. The same chunks in the same order give the same bytes: from the plain build on every
 * machine, from the relaxed build on all that fuse multiply and add.
 */
export class WasmKernel implements Kernel {
  readonly name: WasmKernelName;
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #table: Table;
  readonly #instance: Instance;
  readonly #scoredRows: Int32Array;
  readonly #maxAnchors: number;
  /** The rows of anchors, then those of their relations. */
  readonly #anchorRows: Int32Array;
  /** Scores of one anchor after another, `#rowFloats` apart. */
  readonly #matrix: Float32Array;
  readonly #rowFloats: number;

  /** The rows whose gradients the last step summed, with the foreign rows first, and the addresses of the sums. */
  readonly #gradientRows: Int32Array;
  readonly #gradientAddresses: Uint32Array;
  /** The memory from address 0 to the end of the workspace. */
  readonly #floats: Float32Array;

  /** @throws FatalError when the table has too little room below its rows. */
  constructor(name: WasmKernelName, table: Table, settings: ModelSettings, size: ChunkSize) {
    this.name = name;
    this.#table = table;
    const workspace = layOut(settings.dim, size);
    const { chunk, losses } = chunkIn(table, workspace, settings, size);
    this.chunk = chunk;
    this.losses = losses;
    const { gradients, scratch, strides } = workspace;
    const scored = Math.max(size.maxCandidates, 1);
    this.#scoredRows = new Int32Array(table.memory.buffer, scratch.scoredRows, scored);
    this.#maxAnchors = size.maxEdges;
    this.#anchorRows = new Int32Array(table.memory.buffer, gradients.slotNumbers, 2 * size.maxEdges);
    const distinctRows = 4 * size.maxEdges + 2 * size.maxCandidates;
    this.#gradientRows = new Int32Array(table.memory.buffer, gradients.gradientRows, distinctRows);
    this.#gradientAddresses = new Uint32Array(table.memory.buffer, gradients.gradientAddresses, distinctRows);
    this.#floats = new Float32Array(table.memory.buffer, 0, workspace.bytes / Float32Array.BYTES_PER_ELEMENT);
    this.#rowFloats = strides.weightRowBytes / Float32Array.BYTES_PER_ELEMENT;
    this.#matrix = new Float32Array(table.memory.buffer, scratch.weights, size.maxEdges * this.#rowFloats);
    this.#instance = instantiate(name, table, settings, workspace);
  }

  step(): number {
    checkChunk(this.chunk, this.#table);
    const { edges, sides, learningRate } = this.chunk;
    return this.#instance.step(edges, sides.lhs.count, sides.rhs.count, learningRate);
  }

  foreignGradients(visit: (row: number, gradient: Float32Array) => void): void {
    const count = this.#instance.foreignRows();
    for (let n = 0; n < count; n++) {
      const from = this.#gradientAddresses[n]! / Float32Array.BYTES_PER_ELEMENT;
      visit(this.#gradientRows[n]!, this.#floats.subarray(from, from + this.#table.dim));
    }
  }

  scoreMatrix(...asked: ScoreMatrix): void {
    const [anchors, relationRows, candidates, out] = checkScoreMatrix(this.#table, asked);
    for (let first = 0; first < anchors.length; first += this.#maxAnchors) {
      const some = anchors.subarray(first, first + this.#maxAnchors);
      this.#anchorRows.set(some);
      this.#anchorRows.set(relationRows.subarray(first, first + some.length), some.length);
      this.#scoreBlocks(some.length, candidates, out.subarray(first * candidates.length));
    }
  }

  /** The scores of the anchors in the workspace, as many candidates at a time as it has room for. */
  #scoreBlocks(anchors: number, candidates: Int32Array, out: Float32Array): void {
    const most = this.#scoredRows.length;
    for (let start = 0; start < candidates.length; start += most) {
      const part = candidates.subarray(start, start + most);
      this.#scoredRows.set(part);
      this.#instance.scoreMatrix(anchors, part.length);
      for (let i = 0; i < anchors; i++) {
        const row = this.#matrix.subarray(i * this.#rowFloats, i * this.#rowFloats + part.length);
        out.set(row, i * candidates.length + start);
      }
    }
  }
}
