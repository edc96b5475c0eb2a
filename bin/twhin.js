#!/usr/bin/env node
// Plain JavaScript that any Node from 18 on can run: it is the one to say that Node is too old.
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { whenParentDies } from './parent.js';

const NEEDED_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src', 'cli', 'main.ts');

if (Number(process.versions.node.split('.')[0]) < NEEDED_MAJOR) {
  console.error(
    `twhin-stream needs Node ${NEEDED_MAJOR}; this is ${process.version}.\n` +
      `Install Node ${NEEDED_MAJOR} or newer (https://nodejs.org, or: nvm install ${NEEDED_MAJOR}) and run the same command again.`,
  );
  process.exitCode = 1;
} else {
  // Half of the time of a short command is compiling. A folder that can't be written is passed over. Threads read the variable.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules', '.cache', 'twhin');
  module.enableCompileCache(process.env['NODE_COMPILE_CACHE']);
  // Records are read by the thousand, and V8 takes the objects made on the way for long-lived ones: they would fill the old generation.
  setFlagsFromString('--no-allocation-site-pretenuring');
  whenParentDies(() => process.kill(process.pid, 'SIGTERM'));
  const { main } = await import(pathToFileURL(entry()).href);
  process.exitCode = await main(process.argv.slice(2));
}

/** The sources in a checkout, the built program in an installed package. */
function entry() {
  if (!existsSync(source)) return join(root, 'dist', 'src', 'cli', 'main.js');
  // A checkout's own twhin.config.ts imports 'twhin-stream': let that be the sources as well.
  module.registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, 'twhin-source'] }),
  });
  return source;
}
