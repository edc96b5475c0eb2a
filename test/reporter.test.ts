import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { freshFolder } from './fresh-folder.ts';

const VITEST = join(import.meta.dirname, '..', 'node_modules', 'vitest', 'vitest.mjs');
const REPORTER = join(import.meta.dirname, 'reporter.ts');

const { CI: _, ...environment } = process.env;
let root: string;

beforeEach(async () => {
  root = await freshFolder();
  mkdirSync(join(root, 'test'));
});

/** Runs test files and a set-up of their own; gives the exit code and the last line of stdout. */
function run(
  files: Record<string, string>,
  setup = 'export const teardown = () => {};',
  env: Record<string, string> = {},
) {
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'setup.js'), setup);
  writeFileSync(
    join(root, 'vitest.config.js'),
    `import { ClosingLine } from ${JSON.stringify(REPORTER)};
     export default { test: { globals: true, globalSetup: './setup.js', tags: [{ name: 'no-test' }], reporters: ['default', new ClosingLine()] } };`,
  );
  for (const [name, code] of Object.entries(files)) writeFileSync(join(root, 'test', name), code);
  const { status, stdout } = spawnSync(process.execPath, [VITEST, 'run'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...environment, NO_COLOR: '1', ...env },
    timeout: 60_000,
  });
  expect(stdout.endsWith('\n')).toBe(true);
  return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) };
}

const GOOD = 'test("a", () => {}); describe("b", () => { test("c", () => {}); });';

test('all is well: passed and failed alone, after everything a teardown writes', () => {
  const teardown = 'export const teardown = () => console.log("the broker is gone");';
  expect(run({ 'good.test.js': GOOD }, teardown)).toMatchObject({ status: 0, last: '2 passed, 0 failed' });
});

test('each failed test, failed hook and file that does not load is one failed', () => {
  expect(
    run({
      'good.test.js': GOOD,
      'mixed.test.js':
        'test("a", () => { throw new Error("no"); }); test.skip("b", () => {}); test.todo("c");',
      'import.test.js': 'import "./absent.js"; test("never seen", () => {});',
      'hook.test.js':
        'describe("d", () => { beforeAll(() => { throw new Error("no"); }); test("e", () => {}); });',
    }),
  ).toMatchObject({ status: 1, last: '2 passed, 3 failed, 3 skipped' });
});

test('an error outside any test is a failed one', () => {
  const late = 'test("a", () => { Promise.reject(new Error("nobody waits for it")); });';
  expect(run({ 'late.test.js': late })).toMatchObject({ status: 1, last: '1 passed, 1 failed' });
});

describe('tests that need what the machine lacks', () => {
  const WITHOUT = `export const setup = (project) => {
    project.config.tagsFilter = ['no-test'];
    project.provide('notRun', 'No broker: install one.');
  };`;
  const HOOKED =
    'beforeAll(() => { throw new Error("ran"); }); describe("d", () => { test("e", () => {}); });';
  const files = { 'good.test.js': GOOD, 'hooked.test.js': HOOKED };

  test('are skipped one by one, and the line before the last says why, once', () => {
    const { status, stdout } = run(files, WITHOUT);
    expect(stdout).toMatch(/[^:]\nNo broker: install one\.\n0 passed, 0 failed, 3 skipped\n$/);
    expect(status).toBe(0);
    expect(stdout.match(/No broker/g)).toHaveLength(1);
  });

  test('are failed with CI=true, and the line before the last says why', () => {
    const { status, stdout } = run(files, WITHOUT, { CI: 'true' });
    expect(stdout).toMatch(/No broker: install one\.\n0 passed, 3 failed\n$/);
    expect(status).toBe(1);
  });
});

test.each([
  ['a set-up that fails', { 'good.test.js': GOOD }, 'export const setup = () => { throw new Error("no"); };'],
  ['no test at all', {}, ''],
])('%s is one failed', (_, files, setup) => {
  expect(run(files, setup)).toMatchObject({ status: 1, last: '0 passed, 1 failed' });
});
