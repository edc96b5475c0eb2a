import type { Kernel, KernelChoice, KernelName } from '../model/kernel.ts';
import type { ModelSettings } from '../model/settings.ts';
import type { Table } from '../model/table.ts';
import type { ChunkSize } from './chunk.ts';
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

/** Tests the machine by validating the smallest module with each instruction. */
export function simdLevel(): SimdLevel {
  if (!WebAssembly.validate(moduleOf(I8X16_SPLAT))) return 'none';
  return WebAssembly.validate(moduleOf(RELAXED_SWIZZLE)) ? 'relaxed' : 'simd128';
}

/** i32.const 0, i8x16.splat, i8x16.popcnt */
const I8X16_SPLAT = [0x41, 0x00, 0xfd, 0x0f, 0xfd, 0x62];
/** i32.const 1, i8x16.splat, i32.const 2, i8x16.splat, i8x16.relaxed_swizzle */
const RELAXED_SWIZZLE = [0x41, 0x01, 0xfd, 0x0f, 0x41, 0x02, 0xfd, 0x0f, 0xfd, 0x80, 0x02];

/** A module with one function `() → v128` of this code: header, type, function and code section. */
function moduleOf(code: readonly number[]): Uint8Array {
  const body = [0x00, ...code, 0x0b];
  return Uint8Array.of(
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b],
    ...[0x03, 0x02, 0x01, 0x00],
    ...[0x0a, body.length + 2, 0x01, body.length, ...body],
  );
}
