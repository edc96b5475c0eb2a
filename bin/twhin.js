#!/usr/bin/env node
// Plain JavaScript that any Node from 18 on can run: it is the one to say that Node is too old.
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findNode, missingNode } from './node24.js';
import { whenParentDies } from './parent.js';
import { relay } from './relay.js';

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));
const source = join(root, 'src', 'cli', 'main.ts');

const node = findNode(root);
if (node === undefined) {
  console.error(missingNode());
  process.exitCode = 1;
} else if (node === process.execPath) {
  whenParentDies(() => process.kill(process.pid, 'SIGTERM'));
  const { main } = await import(pathToFileURL(entry()).href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.exitCode = await relay(node, [self, ...process.argv.slice(2)], process.env);
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
