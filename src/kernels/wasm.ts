import { readFileSync } from 'node:fs';
import { FatalError } from '../errors.ts';
import type { Chunk, Kernel } from '../model/kernel.ts';
import type { LossName, ModelSettings, ScorerName } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import { type ChunkSize, checkChunk, checkScored, createChunk } from './chunk.ts';
import { layOut } from './workspace.ts';

const SCORER_CONSTANTS: Record<ScorerName, string> = {
  'transe-l1': 'TRANSE_L1',
  'transe-l2': 'TRANSE_L2',
  'transe-l2-squared': 'TRANSE_L2_SQUARED',
  twhin: 'TWHIN',
};

const LOSS_CONSTANTS: Record<LossName, string> = {
  softmax: 'SOFTMAX',
  logistic: 'LOGISTIC',
  margin: 'MARGIN',
};

/** The two builds of one source, by the file each is in. */
const BUILDS = {
  'wasm-plain': new URL('./kernel-plain.wasm', import.meta.url),
  'wasm-relaxed': new URL('./kernel-relaxed.wasm', import.meta.url),
} as const;

export type WasmBuild = keyof typeof BUILDS;

/**
 * The compiled kernel (`assembly/`, SIMD in float32) on the table's own memory. Its workspace lies below the table's
 * rows; nothing is allocated in a step. The same chunks in the same order give the same bytes: those of the plain
 * build on every machine, those of the relaxed one, which may round a multiply-add once or twice, on this machine.
 */
export class WasmKernel implements Kernel {
  readonly name: WasmBuild;
  readonly chunk: Chunk;
  readonly losses: Float32Array;
  readonly #table: Table;
  readonly #step: Exported;
  readonly #scores: Exported;
  readonly #scoredRows: Int32Array;
  readonly #scoredValues: Float32Array;

  /** @throws FatalError when the table keeps too little room below its rows. */
  constructor(build: WasmBuild, table: Table, settings: ModelSettings, size: ChunkSize) {
    this.name = build;
    const workspace = layOut(settings.dim, size);
    if (table.base < workspace.bytes) {
      throw new FatalError(
        'kernel-workspace',
        `the wasm kernel needs ${workspace.bytes} bytes below the table's rows and there are ${table.base}; ` +
          `make the table with workspaceBytes(settings, ${size.maxEdges}, ${size.maxCandidates})`,
      );
    }
    // A shared memory never moves, so views made now stay good when the table grows.
    const { buffer } = table.memory;
    this.#table = table;
    this.chunk = createChunk(size, {
      ints: (name, length) => new Int32Array(buffer, workspace[name], length),
      floats: (name, length) => new Float32Array(buffer, workspace[name], length),
      bytes: (name, length) => new Uint8Array(buffer, workspace[name], length),
    });
    this.losses = new Float32Array(buffer, workspace.losses, size.maxEdges);
    const scored = Math.max(size.maxCandidates, 1);
    this.#scoredRows = new Int32Array(buffer, workspace.scoredRows, scored);
    this.#scoredValues = new Float32Array(buffer, workspace.scoredValues, scored);

    const { exports } = new WebAssembly.Instance(compiledKernel(build), { env: { memory: table.memory } });
    const { bytes: _bytes, ...addresses } = workspace;
    setGlobals(exports, {
      ...addresses,
      tableBase: table.base,
      rowBytes: table.stride * Float32Array.BYTES_PER_ELEMENT,
      vectorBytes: table.paddedDim * Float32Array.BYTES_PER_ELEMENT,
      dim: settings.dim,
      scorer: globalOf(exports, SCORER_CONSTANTS[settings.scorer]).value,
      loss: globalOf(exports, LOSS_CONSTANTS[settings.loss]).value,
      beta: settings.beta,
      margin: settings.margin,
      negativeWeight: settings.negativeWeight,
      learningRate: settings.learningRate,
      unitBall: settings.unitBall ? 1 : 0,
    });
    this.#step = functionOf(exports, 'step');
    this.#scores = functionOf(exports, 'scores');
  }

  step(): number {
    const { chunk } = this;
    checkChunk(chunk, this.#table);
    return this.#step(chunk.edges, chunk.lhsCount, chunk.rhsCount);
  }

  scores(anchor: number, relationRow: number, candidates: Int32Array, out: Float32Array): void {
    checkScored(this.#table, anchor, relationRow, candidates, out);
    const most = this.#scoredRows.length;
    for (let start = 0; start < candidates.length; start += most) {
      const part = candidates.subarray(start, start + most);
      this.#scoredRows.set(part);
      this.#scores(anchor, relationRow, part.length);
      out.set(this.#scoredValues.subarray(0, part.length), start);
    }
  }
}

type Exported = (...values: number[]) => number;
type Exports = Readonly<Record<string, unknown>>;

const compiled: Partial<Record<WasmBuild, WebAssembly.Module>> = {};

/** The module, compiled once a thread. */
function compiledKernel(build: WasmBuild): WebAssembly.Module {
  compiled[build] ??= new WebAssembly.Module(readFileSync(BUILDS[build]));
  return compiled[build];
}

function setGlobals(exports: Exports, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) globalOf(exports, name).value = value;
}

function globalOf(exports: Exports, name: string): { value: unknown } {
  const found = exports[name];
  if (typeof found === 'object' && found !== null && 'value' in found) return found;
  throw outdated(name);
}

function functionOf(exports: Exports, name: string): Exported {
  const found = exports[name];
  if (typeof found === 'function') return found as Exported;
  throw outdated(name);
}

function outdated(name: string): FatalError {
  return new FatalError(
    'kernel-outdated',
    `the compiled kernel has no ${name}; compile it again: npm run kernel`,
  );
}
