// Compiles the kernel twice, with and without relaxed SIMD: src/kernels/assembly to kernel-*.wasm; and the scan with it:
// src/kernels/scan/assembly to scan/scan-relaxed.wasm. The results are committed, so that nothing else needs a build step; a test
// compiles again and compares bytes.
import { writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('../src/kernels/', import.meta.url));

/** What each build may use. Only the plain one gives the same bytes everywhere: relaxed SIMD rounds as machines do. */
const BUILDS = { plain: 'simd,threads', relaxed: 'simd,threads,relaxed-simd' };

/** Each module's entry below src/kernels/, by the beginning of its files' names there. */
const MODULES = { kernel: 'assembly/index.ts', 'scan/scan': 'scan/assembly/index.ts' };

/** What is compiled: a module in a build. */
const FILES = [
  ['kernel', 'plain'],
  ['kernel', 'relaxed'],
  ['scan/scan', 'relaxed'],
];

const OUT = 'kernel.wasm';
const FLAGS = [
  ...['-O3', '--converge', '--runtime', 'stub', '--noAssert'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
];

/**
 * A module's bytes in a build, the same on every machine.
 * @param {keyof typeof MODULES} module
 * @param {keyof typeof BUILDS} build
 * @returns {Promise<Uint8Array>}
 */
export async function compileKernel(module, build) {
  let binary;
  const { error, stderr } = await asc.main(
    [MODULES[module], '--baseDir', folder, '--outFile', OUT, '--enable', BUILDS[build], ...FLAGS],
    {
      writeFile: (name, contents) => {
        if (name === OUT) binary = contents;
      },
    },
  );
  if (error) throw new Error(`${MODULES[module]} does not compile: ${error.message}\n${stderr.toString()}`);
  return binary;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [module, build] of FILES) {
    const bytes = await compileKernel(module, build);
    writeFileSync(`${folder}${module}-${build}.wasm`, bytes);
    console.log(`src/kernels/${module}-${build}.wasm: ${bytes.length} bytes`);
  }
}
