// Compiles src/kernels/assembly to src/kernels/kernel.wasm. The result is committed, so that nothing else needs a
// build step; a test compiles again and compares bytes.
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('../src/kernels/', import.meta.url));

// Deterministic: no relaxed SIMD, whose rounding differs between machines.
const FLAGS = [
  ...['-O3', '--converge', '--runtime', 'stub', '--noAssert'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'simd,threads'],
];

/**
 * The compiled kernel's bytes, the same on every machine.
 * @returns {Promise<Uint8Array>}
 */
export async function compileKernel() {
  let binary;
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--baseDir', folder, '--outFile', 'kernel.wasm', ...FLAGS],
    {
      writeFile: (name, contents) => {
        if (name === 'kernel.wasm') binary = contents;
      },
    },
  );
  if (error) throw new Error(`the kernel does not compile: ${error.message}\n${stderr.toString()}`);
  return binary;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const bytes = await compileKernel();
  writeFileSync(`${folder}kernel.wasm`, bytes);
  console.log(`src/kernels/kernel.wasm: ${bytes.length} bytes`);
}
