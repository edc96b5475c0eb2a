// Makes dist/ for the npm package: JavaScript and declarations of src/ and topics/, and the files they read beside
// themselves. Plain JavaScript for any Node from 18 on: `npm pack` runs it on the machine's own.
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
/** Folders of AssemblyScript sources, which became the wasm files beside them. */
const ASSEMBLY = 'assembly';

rmSync(dist, { recursive: true, force: true });
process.exitCode = compile();
if (process.exitCode === 0) {
  copyRest('src');
  copyRest('topics');
  console.error(`dist/: ${readdirSync(dist, { recursive: true }).length} files and folders`);
}

function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const project = join(root, 'tools', 'build.tsconfig.json');
  // On stderr: `npm pack --json` has stdout.
  const { status, error } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: ['ignore', 2, 2] });
  if (error) console.error(`can't start the compiler: ${error.message}; run npm ci first`);
  return status ?? 1;
}

/** @param {string} room whose files that are no TypeScript come along, such as the kernel's wasm */
function copyRest(room) {
  cpSync(join(root, room), join(dist, room), {
    recursive: true,
    filter: (path) => {
      if (basename(path) === ASSEMBLY) return false;
      return statSync(path).isDirectory() || !/\.ts$|^tsconfig\.json$/.test(basename(path));
    },
  });
}
