import type { Kernel, KernelChoice, KernelName } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import type { ChunkSize } from './chunk.ts';
import { compilesHere } from './instance.ts';
import { ReferenceKernel } from './reference.ts';
import { TfjsKernel } from './tfjs/kernel.ts';
import { loadTensorFlow } from './tfjs/tensorflow.ts';
import { WasmKernel } from './wasm.ts';

/**
 * Makes a kernel on a table. For a compiled kernel, the table must have been made with `workspaceBytes` of at least
 * `workspaceBytes(settings, maxEdges, maxCandidates)`. folders: where to look for TensorFlow.js.
 * @throws UsageError when TensorFlow.js is not installed.
 * @throws FatalError when the table has too little room for the workspace.
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

/** The kernel that a choice means on this machine. */
export function kernelHere(choice: KernelChoice): KernelName {
  if (choice !== 'wasm') return choice;
  return simdLevel() === 'relaxed' ? 'wasm-relaxed' : 'wasm-plain';
}

/** The kernel for a choice where the same events must give the same bytes on every machine. */
export function reproducible(choice: KernelChoice): KernelName {
  return choice === 'reference' ? 'reference' : 'wasm-plain';
}

/** SIMD support of the machine. `wasm-plain` needs `simd128`, `wasm-relaxed` needs `relaxed`. */
export type SimdLevel = 'none' | 'simd128' | 'relaxed';

/** Asks V8 whether this machine can compile each build. */
export function simdLevel(): SimdLevel {
  if (!compilesHere('wasm-plain')) return 'none';
  return compilesHere('wasm-relaxed') ? 'relaxed' : 'simd128';
}
