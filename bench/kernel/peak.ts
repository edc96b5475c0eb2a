import { execFileSync } from 'node:child_process';
import { mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Contender, threadMs } from './workload.ts';

const ROUNDS = 100_000;
const OPERATIONS = 96;
/** So small that a sum stays a normal number. */
const FACTOR = 1e-6;

/** The most that 128-bit fused multiply-adds give on this machine: a loop of nothing else, compiled here. */
export function peak(): Contender {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(compiled()), {});
  const fused = exports['fused'];
  if (typeof fused !== 'function') throw new Error('the peak’s module has no function fused');
  return {
    name: 'peak',
    operations: OPERATIONS,
    measure(ms) {
      const began = threadMs();
      let rounds = 0;
      // Many short calls: V8 exchanges slow code for fast only between two of them.
      while (threadMs() - began < ms) {
        fused(ROUNDS, FACTOR, FACTOR);
        rounds += ROUNDS;
      }
      return rounds / (threadMs() - began);
    },
  };
}

/**
 * Compiled by a process of its own: the compiler is WebAssembly too, and while V8 is busy making that fast, the kernels
 * are left slow.
 */
function compiled(): Uint8Array<ArrayBuffer> {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'twhin-bench-'));
  const asc = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
  const source = join(import.meta.dirname, 'assembly', 'peak.ts');
  const out = join(folder.path, 'peak.wasm');
  const flags = ['-O3', '--runtime', 'stub', '--enable', 'simd,relaxed-simd'];
  execFileSync(process.execPath, [asc, source, '--outFile', out, ...flags], { stdio: ['ignore', 2, 2] });
  return new Uint8Array(readFileSync(out));
}
