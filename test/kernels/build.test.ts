import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error A plain script without types.
import { compileKernel } from '../../tools/build-kernel.js';

test('kernel.wasm is what its sources compile to: after a change, npm run kernel', async () => {
  const committed = readFileSync(new URL('../../src/kernels/kernel.wasm', import.meta.url));
  const compiled: Uint8Array = await compileKernel();
  expect(committed.equals(compiled)).toBe(true);
});
