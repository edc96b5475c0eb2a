import { readFileSync } from 'node:fs';
import { FatalError } from '../errors/errors.ts';
import type { KernelName, WasmKernelName } from '../model/kernel.ts';
import type { LossName, ModelSettings, ScorerName } from '../model/settings.ts';
import type { Workspace } from './workspace.ts';

const PLAIN = new URL('./kernel-plain.wasm', import.meta.url);
const RELAXED = new URL('./kernel-relaxed.wasm', import.meta.url);

/** The files of the two builds, and the tiles that each compiled kernel uses. */
const COMPILED: Readonly<Record<WasmKernelName, { readonly file: URL; readonly wide: boolean }>> = {
  'wasm-plain': { file: PLAIN, wide: false },
  'wasm-plain-wide': { file: PLAIN, wide: true },
  'wasm-relaxed': { file: RELAXED, wide: false },
  'wasm-relaxed-wide': { file: RELAXED, wide: true },
};

export function isCompiled(name: KernelName): name is WasmKernelName {
  return name in COMPILED;
}

/** Whether this machine has the SIMD of the kernels. */
export function hasSimd(): boolean {
  return WebAssembly.validate(readFileSync(RELAXED));
}

/** The place of a table's rows in memory; see `model/table.ts`. */
export interface TablePlace {
  readonly memory: WebAssembly.Memory;
  readonly base: number;
  readonly stride: number;
  readonly paddedDim: number;
}

/** The functions of the compiled kernel: a step, its parts, and what a ranking asks for. See `assembly/index.ts`. */
const FUNCTIONS = [
  'step',
  'begin',
  'compareSide',
  'sumSide',
  'update',
  'foreignRows',
  'scoreMatrix',
] as const;

export type Instance = Readonly<Record<(typeof FUNCTIONS)[number], Exported>>;

/** The compiled kernel in any thread. At the same time, each step needs gradients of its own, and each side compared a scratch. */
export function instantiate(
  name: WasmKernelName,
  { memory, base, stride, paddedDim }: TablePlace,
  settings: ModelSettings,
  workspace: Workspace,
): Instance {
  const { file, wide } = COMPILED[name];
  const instance = new CompiledInstance(file, memory, wide);
  const { chunk, gradients, scratch, strides } = workspace;
  instance.setGlobals({
    ...{ ...chunk, ...gradients, ...scratch, ...strides },
    tableBase: base,
    rowBytes: stride * Float32Array.BYTES_PER_ELEMENT,
    vectorBytes: paddedDim * Float32Array.BYTES_PER_ELEMENT,
    dim: settings.dim,
    scorer: instance.valueOf(constantOf(settings.scorer)),
    loss: instance.valueOf(constantOf(settings.loss)),
    beta: settings.beta,
    margin: settings.margin,
    negativeWeight: settings.negativeWeight,
    unitBall: settings.unitBall ? 1 : 0,
    wide: wide ? 1 : 0,
  });
  return Object.fromEntries(FUNCTIONS.map((name) => [name, instance.functionOf(name)])) as Instance;
}

/** The module's constant of a setting, such as `TRANSE_L2` of `transe-l2`. */
function constantOf(setting: ScorerName | LossName): string {
  return setting.toUpperCase().replaceAll('-', '_');
}

export type Exported = (...values: number[]) => number;

/** An instance of a committed module on a memory, in any thread; its exports by name, FatalError for others. wide: see `moduleOf`. */
export class CompiledInstance {
  readonly #exports: Readonly<Record<string, unknown>>;

  constructor(file: URL, memory: WebAssembly.Memory, wide = false) {
    this.#exports = new WebAssembly.Instance(moduleOf(file, wide), { env: { memory } }).exports;
  }

  setGlobals(values: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(values)) this.#globalOf(name).value = value;
  }

  valueOf(name: string): unknown {
    return this.#globalOf(name).value;
  }

  functionOf(name: string): Exported {
    const found = this.#exports[name];
    if (typeof found === 'function') return found as Exported;
    throw outdated(name);
  }

  #globalOf(name: string): { value: unknown } {
    const found = this.#exports[name];
    if (typeof found === 'object' && found !== null && 'value' in found) return found;
    throw outdated(name);
  }
}

const compiled = new Map<string, WebAssembly.Module>();

/** A section that says nothing but its name, `wide`. */
const WIDE_SECTION = Uint8Array.of(0, 5, 4, 0x77, 0x69, 0x64, 0x65);

/**
 * The module of a file, compiled once per thread. V8 compiles the same bytes once per process: a wide module has a section
 * more, or it would get the code of a narrow one that V8 made before it was told to pack vectors.
 */
function moduleOf(file: URL, wide: boolean): WebAssembly.Module {
  const key = `${file.href} ${wide}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const bytes = readFileSync(file);
  const module = new WebAssembly.Module(wide ? Buffer.concat([bytes, WIDE_SECTION]) : bytes);
  compiled.set(key, module);
  return module;
}

function outdated(name: string): FatalError {
  return new FatalError('kernel', `the compiled kernel has no ${name}; compile it again: npm run kernel`);
}
