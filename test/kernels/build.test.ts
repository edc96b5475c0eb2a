import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layOutScan } from '../../src/kernels/scan/layout.ts';
import { layOut } from '../../src/kernels/workspace.ts';
// @ts-expect-error A plain script without types.
import { compileKernel } from '../../tools/build-kernel.js';

/** Each file's module and build, and the first address below which its constants have to lie. */
const FILES = [
  ['kernel', 'plain', layOut(8, { maxEdges: 1, maxCandidates: 1 }).chunk.lhs],
  ['kernel', 'relaxed', layOut(8, { maxEdges: 1, maxCandidates: 1 }).chunk.lhs],
  ['scan/scan', 'relaxed', layOutScan({ dim: 8, scanners: 1 }).rowsInUse],
] as const;

const committed = (module: string, build: string) =>
  readFileSync(new URL(`../../src/kernels/${module}-${build}.wasm`, import.meta.url));

test.each(FILES)(
  '%s-%s.wasm is what its sources compile to: after a change, npm run kernel',
  async (module, build) => {
    const compiled: Uint8Array = await compileKernel(module, build);
    expect(committed(module, build).equals(compiled)).toBe(true);
  },
);

test.each(FILES)('the constants of %s-%s.wasm lie below everything else', (module, build, first) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(committed(module, build)), {
    env: { memory },
  });
  const end: unknown = Object(exports['constantsEnd']).value;
  expect(end).toBeGreaterThan(1000);
  expect(first).toBeGreaterThanOrEqual(Number(end));
});
