import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FatalError, UsageError } from '../../../src/errors/errors.ts';
import { createKernel } from '../../../src/kernels/select.ts';
import { loadTensorFlow } from '../../../src/kernels/tfjs/tensorflow.ts';
import { Table } from '../../../src/model/table.ts';
import { DEFAULTS } from '../fixture.ts';
import { TFJS_FOLDER, TFJS_SKIPPED } from './installed.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tfjs-load-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A folder with installed packages. content: the index.js of each. */
function folderWith(packages: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(scratch, 'folder-'));
  for (const [name, content] of Object.entries(packages)) {
    const home = join(folder, 'node_modules', name);
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version: '9.8.7' }));
    writeFileSync(join(home, 'index.js'), content);
  }
  return folder;
}

/** A package in which every function exists and does nothing. */
const HOLLOW = 'module.exports = new Proxy({}, { get: () => () => undefined });';

test('says what to install, and where, when TensorFlow.js is not installed', () => {
  const folder = folderWith({});
  const load = () => loadTensorFlow([folder]);
  expect(load).toThrow(UsageError);
  expect(load).toThrow(expect.objectContaining({ name: 'UsageError' }));
  expect(load).toThrow(
    `${folder} has neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu installed: npm install`,
  );
});

test('createKernel says the same for tfjs; other kernels do not look for TensorFlow.js', () => {
  const table = new Table({ dim: 3, maxRows: 10, workspaceBytes: 0 });
  const size = { maxEdges: 1, maxCandidates: 1 };
  expect(() => createKernel('tfjs', table, DEFAULTS, size, [folderWith({})])).toThrow('npm install');
  const broken = folderWith({ '@tensorflow/tfjs-node': 'throw new Error("looked at")' });
  expect(createKernel('reference', table, DEFAULTS, size, [broken]).name).toBe('reference');
});

test('takes the GPU package before the other, and the first folder before the second', () => {
  const plain = folderWith({ '@tensorflow/tfjs-node': HOLLOW });
  const both = folderWith({ '@tensorflow/tfjs-node': HOLLOW, '@tensorflow/tfjs-node-gpu': HOLLOW });
  expect(loadTensorFlow([both, plain]).description).toBe('@tensorflow/tfjs-node-gpu 9.8.7');
  expect(loadTensorFlow([folderWith({}), plain, both]).description).toBe('@tensorflow/tfjs-node 9.8.7');
});

test.each([
  [
    'does not load',
    'throw new Error("libtensorflow.so.2: no such file\\nRequire stack")',
    'libtensorflow.so.2: no such',
  ],
  [
    'misses a module of its own',
    'require("@mapbox/node-pre-gyp")',
    "Cannot find module '@mapbox/node-pre-gyp'",
  ],
  ['is another version', 'exports.tidy = () => undefined', 'it lacks functions that the kernel needs'],
])('says what is wrong with a package that %s', (_, content, reason) => {
  const load = () => loadTensorFlow([folderWith({ '@tensorflow/tfjs-node': content })]);
  expect(load).toThrow(FatalError);
  expect(load).toThrow(expect.objectContaining({ code: 'kernel' }));
  expect(load).toThrow(`@tensorflow/tfjs-node is installed, but can't be used: ${reason}`);
  expect(load).not.toThrow('Require stack');
});

test.skipIf(TFJS_SKIPPED)('the installed package is loaded once for all callers', () => {
  const { tensorFlow, description } = loadTensorFlow([TFJS_FOLDER]);
  expect(description).toMatch(/^@tensorflow\/tfjs-node \d+\.\d+\.\d+$/);
  expect(loadTensorFlow([TFJS_FOLDER]).tensorFlow).toBe(tensorFlow);
});
