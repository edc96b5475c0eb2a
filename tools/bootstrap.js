// node tools/bootstrap.js demo/main.ts ARGS   or   node tools/bootstrap.js --vitest ARGS
// Plain JavaScript without dependencies, for any Node from 18 on: it works right after `git clone`. It installs
// what is missing, then runs the target on Node 24.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode, missingNode } from './node24.js';
import { relay } from './relay.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [target, ...args] = process.argv.slice(2);
process.exitCode = await bootstrap();

async function bootstrap() {
  if (target === undefined) {
    console.error('name what to run: node tools/bootstrap.js FILE|--vitest [ARGS]');
    return 2;
  }
  if (!installed()) {
    console.error('Installing dependencies (once, about half a minute) …');
    const code = install();
    if (code !== 0) {
      console.error(
        `npm ci failed with code ${code}: see above. Is the network there? Then run the same command again.`,
      );
      return 1;
    }
  }
  const node = findNode(root);
  if (node === undefined) {
    console.error(missingNode());
    return 1;
  }
  const script =
    target === '--vitest' ? join(root, 'node_modules', 'vitest', 'vitest.mjs') : resolve(root, target);
  const scriptArgs = target === '--vitest' ? ['run', ...args] : args;
  const path = [join(root, 'node_modules', '.bin'), dirname(node), process.env['PATH'] ?? ''].join(delimiter);
  // Threads take the sources from here once they are stripped of their types: V8 crashes now and then where several threads strip at once.
  const cache = { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node') };
  return relay(node, [script, ...scriptArgs], { ...cache, ...process.env, PATH: path });
}

/**
 * Whether node_modules holds what package-lock.json asks for. Compared by content, not by time of change: a copied
 * folder or a restored cache has any times.
 */
function installed() {
  const lock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(lock)) return false;
  const have = packages(lock);
  return Object.entries(packages(join(root, 'package-lock.json'))).every(([path, wanted]) => {
    if (path === '' || wanted.link === true) return true;
    const got = have[path];
    // An optional package of another platform is wanted by the lock file and rightly not there.
    if (got === undefined) return wanted.optional === true || wanted.devOptional === true;
    return got.version === wanted.version && got.integrity === wanted.integrity;
  });
}

/**
 * @param {string} file
 * @returns {Record<string, {version?: string, integrity?: string, optional?: boolean, devOptional?: boolean, link?: boolean}>}
 */
function packages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** Runs the npm that started us, else the one on the PATH, on the machine's own Node: ours is about to be replaced. */
function install() {
  const ci = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env['npm_execpath'];
  const node = process.env['npm_node_execpath'];
  const windows = process.platform === 'win32';
  const { status, error } =
    npm?.endsWith('npm-cli.js') && node !== undefined
      ? spawnSync(node, [npm, ...ci], { cwd: root, stdio: 'inherit' })
      : spawnSync(windows ? 'npm.cmd' : 'npm', ci, { cwd: root, stdio: 'inherit', shell: windows });
  if (error !== undefined) console.error(`can't start npm: ${error.message}`);
  return status ?? 1;
}
