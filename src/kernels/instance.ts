import { readFileSync } from 'node:fs';
import { FatalError } from '../errors/errors.ts';
import type { LossName, ModelSettings, ScorerName } from '../model/settings.ts';
import type { Workspace } from './workspace.ts';

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

/** The files of the two builds. */
const BUILDS = {
  'wasm-plain': new URL('./kernel-plain.wasm', import.meta.url),
  'wasm-relaxed': new URL('./kernel-relaxed.wasm', import.meta.url),
} as const;

export type WasmBuild = keyof typeof BUILDS;

/** The place of a table's rows in memory; see `model/table.ts`. */
export interface TablePlace {
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  readonly stride: number;
  readonly paddedDim: number;
}

/** The functions of the compiled kernel; see `assembly/index.ts`. */
export interface Instance {
  readonly step: Exported;
  readonly scores: Exported;
  readonly scoreMatrix: Exported;
}

/**
 * An instance of the compiled kernel on a table's memory, in any thread. Each instance has its own workspace; instances on
 * one table share only the rows.
 */
export function instantiate(
  build: WasmBuild,
  { memory, base, stride, paddedDim }: TablePlace,
  settings: ModelSettings,
  workspace: Workspace,
): Instance {
  const { exports } = new WebAssembly.Instance(compiledKernel(build), { env: { memory } });
  const { bytes: _bytes, ...addresses } = workspace;
  setGlobals(exports, {
    ...addresses,
    tableBase: base,
    rowBytes: stride * Float32Array.BYTES_PER_ELEMENT,
    vectorBytes: paddedDim * Float32Array.BYTES_PER_ELEMENT,
    dim: settings.dim,
    scorer: globalOf(exports, SCORER_CONSTANTS[settings.scorer]).value,
    loss: globalOf(exports, LOSS_CONSTANTS[settings.loss]).value,
    beta: settings.beta,
    margin: settings.margin,
    negativeWeight: settings.negativeWeight,
    unitBall: settings.unitBall ? 1 : 0,
  });
  return {
    step: functionOf(exports, 'step'),
    scores: functionOf(exports, 'scores'),
    scoreMatrix: functionOf(exports, 'scoreMatrix'),
  };
}

type Exported = (...values: number[]) => number;
type Exports = Readonly<Record<string, unknown>>;

const compiled: Partial<Record<WasmBuild, WebAssembly.Module>> = {};

/** The module, compiled once per thread. */
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
