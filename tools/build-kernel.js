// Compiles src/kernels/assembly twice, with and without relaxed SIMD, to src/kernels/kernel-*.wasm. The results are
// committed, so that nothing else needs a build step; a test compiles again and compares bytes.
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('../src/kernels/', import.meta.url));

/** What each build may use. Only the plain one gives the same bytes everywhere: relaxed SIMD rounds as machines do. */
export const BUILDS = { plain: 'simd,threads', relaxed: 'simd,threads,relaxed-simd' };

const OUT = 'kernel.wasm';
const FLAGS = [
  ...['-O3', '--converge', '--runtime', 'stub', '--noAssert'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/**
 * A build's bytes, the same on every machine.
 * @param {keyof typeof BUILDS} build
 * @returns {Promise<Uint8Array>}
 */
export async function compileKernel(build) {
  let binary;
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--baseDir', folder, '--outFile', OUT, '--enable', BUILDS[build], ...FLAGS],
    {
      writeFile: (name, contents) => {
        if (name === OUT) binary = contents;
      },
    },
  );
  if (error) throw new Error(`the kernel does not compile: ${error.message}\n${stderr.toString()}`);
  return binary;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const build of Object.keys(BUILDS)) {
    const bytes = await compileKernel(build);
    writeFileSync(`${folder}kernel-${build}.wasm`, bytes);
    console.log(`src/kernels/kernel-${build}.wasm: ${bytes.length} bytes`);
  }
}
