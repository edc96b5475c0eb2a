import type { ScorerName } from '../../model/settings.ts';
import { CompiledInstance } from '../compiled.ts';
import type { WasmBuild } from '../instance.ts';

/** The files of the two builds. */
const BUILDS = {
  'wasm-plain': new URL('./scan-plain.wasm', import.meta.url),
  'wasm-relaxed': new URL('./scan-relaxed.wasm', import.meta.url),
} as const;

/** The two L2 scorers have the same exact score. */
const SCORER_CONSTANTS: Record<ScorerName, string> = {
  'transe-l1': 'L1',
  'transe-l2': 'L2',
  'transe-l2-squared': 'L2',
  twhin: 'PRODUCT',
};

/** The compiled scan (`assembly/`) on a memory. Its addresses are still to be set. */
export function compiledScan(
  build: WasmBuild,
  scorer: ScorerName,
  memory: WebAssembly.Memory,
): CompiledInstance {
  const instance = new CompiledInstance(BUILDS[build], memory);
  instance.setGlobals({ scorer: instance.valueOf(SCORER_CONSTANTS[scorer]) });
  return instance;
}
