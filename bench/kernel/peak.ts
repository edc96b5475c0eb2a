import { readFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import { type Contender, cpuMs } from './contender.ts';

const ROUNDS = 100_000;
const OPERATIONS = 96;
/** So small that a sum stays a normal number. */
const FACTOR = 1e-6;

/** The most that 128-bit fused multiply-adds give on this machine: a loop of nothing else, compiled here. */
export async function peak(): Promise<Contender> {
  const source = readFileSync(new URL('./assembly/peak.ts', import.meta.url), 'utf8');
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    ['peak.ts', '--outFile', 'peak.wasm', '-O3', '--runtime', 'stub', '--enable', 'simd,relaxed-simd'],
    {
      readFile: (name) => (name === 'peak.ts' ? source : null),
      writeFile: (name, contents) => {
        if (name === 'peak.wasm' && typeof contents !== 'string') binary = contents;
      },
    },
  );
  if (error || binary === undefined)
    throw new Error(`the peak's loop does not compile: ${stderr.toString()}`);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary), {});
  const fused = exports['fused'];
  if (typeof fused !== 'function') throw new Error('the peak’s module has no function fused');
  return {
    name: 'peak',
    operations: OPERATIONS,
    async measure(ms) {
      const began = cpuMs();
      let rounds = 0;
      // Many short calls: V8 exchanges slow code for fast only between two of them.
      while (cpuMs() - began < ms) {
        fused(ROUNDS, FACTOR, FACTOR);
        rounds += ROUNDS;
      }
      return rounds / (cpuMs() - began);
    },
    close: () => undefined,
  };
}
