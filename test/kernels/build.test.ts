import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layOut } from '../../src/kernels/workspace.ts';
// @ts-expect-error A plain script without types.
import { compileKernel } from '../../tools/build-kernel.js';

test.each(['plain', 'relaxed'])(
  'kernel-%s.wasm is what its sources compile to: after a change, npm run kernel',
  async (build) => {
    const committed = readFileSync(new URL(`../../src/kernels/kernel-${build}.wasm`, import.meta.url));
    const compiled: Uint8Array = await compileKernel(build);
    expect(committed.equals(compiled)).toBe(true);
  },
);

test.each(['plain', 'relaxed'])('the constants of kernel-%s.wasm lie before the workspace', (build) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536, shared: true });
  const bytes = readFileSync(new URL(`../../src/kernels/kernel-${build}.wasm`, import.meta.url));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const end: unknown = Object(exports['constantsEnd']).value;
  expect(end).toBeGreaterThan(1024);
  const { lhs } = layOut(8, { maxEdges: 1, maxCandidates: 1 });
  expect(lhs).toBeGreaterThanOrEqual(Number(end));
});
