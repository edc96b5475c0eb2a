import type { Kernel, KernelChoice, KernelName } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import type { ChunkSize } from './chunk.ts';
import { ReferenceKernel } from './reference.ts';
import { TfjsKernel } from './tfjs/kernel.ts';
import { loadTensorFlow } from './tfjs/tensorflow.ts';
import { WasmKernel } from './wasm.ts';

/**
 * Makes a kernel on a table. folders: where to look for TensorFlow.js. @throws UsageError when that is not installed; FatalError when
 * the table was made with less room than `workspaceBytes(settings, maxEdges, maxCandidates)` for a compiled kernel.
 */
export function createKernel(
  choice: KernelChoice,
  table: Table,
  settings: ModelSettings,
  size: ChunkSize,
  folders: readonly string[] = [],
): Kernel {
  const name = kernelHere(choice);
  switch (name) {
    case 'reference':
      return new ReferenceKernel(table, settings, size);
    case 'tfjs':
      return new TfjsKernel(loadTensorFlow(folders).tensorFlow, table, settings, size);
    default:
      return new WasmKernel(name, table, settings, size);
  }
}

/** The kernel that a choice means in a live updater. */
export function kernelHere(choice: KernelChoice): KernelName {
  return choice === 'wasm' ? 'wasm-relaxed' : choice;
}

/** The kernel whose bytes are the same elsewhere: relaxed SIMD gives the same on all machines that multiply and add with one rounding. */
export function reproducible(choice: KernelChoice): KernelName {
  if (choice === 'reference' || choice === 'wasm-plain') return choice;
  return fuses() ? 'wasm-relaxed' : 'wasm-plain';
}

/** A module of one function, f32x4.relaxed_madd of three floats. The kernel itself is not to be compiled here: see `compose/wide`. */
const MULTIPLY_ADD = Buffer.from(
  '0061736d0100000001080160037d7d7d017d03020100070501016600000a160114002000fd132001fd132002fd13fd8502fd1f000b',
  'hex',
);

/** Whether this machine multiplies and adds with one rounding, as x64 processors do since 2013, and arm64. */
function fuses(): boolean {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(MULTIPLY_ADD), {});
  const [root, rest] = [1 + 2 ** -12, 2 ** -24];
  // The square has one binary place more than a float.
  return Object(exports).f(root, root, rest - root * root) === rest;
}
