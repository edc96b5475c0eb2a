import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { freshFolder } from '../fresh-folder.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const LOCK = {
  '': { name: 'a-checkout' },
  'node_modules/one': { version: '1.0.0', integrity: 'sha512-one' },
  'node_modules/other-platform': { version: '1.0.0', integrity: 'sha512-other', optional: true },
  'node_modules/workspace': { link: true },
};
const INSTALLED = { 'node_modules/one': LOCK['node_modules/one'] };
/** Stands in for npm: writes what `npm ci` would, and how it was called. */
const FAKE_NPM = `
  const fs = require('node:fs');
  fs.mkdirSync('node_modules', { recursive: true });
  fs.writeFileSync('node_modules/.package-lock.json', ${JSON.stringify(JSON.stringify({ packages: INSTALLED }))});
  fs.appendFileSync('npm-calls', process.argv.slice(2).join(' ') + '\\n');
  process.exit(Number(process.env.NPM_CODE ?? 0));`;
/** The target: says what it was given, and ends as told. */
const TARGET = `
  console.log(JSON.stringify({ args: process.argv.slice(2), path: process.env.PATH }));
  const [code, signal] = process.argv.slice(2);
  if (code === 'wait') {
    const alive = setInterval(() => {}, 1000);
    for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => { console.log(name); clearInterval(alive); });
    console.log('ready');
  } else if (code === 'die') process.kill(process.pid, 'SIGKILL');
  else process.exitCode = Number(code);`;

let root: string;

beforeEach(async () => {
  root = await freshFolder();
  cpSync(join(CHECKOUT, 'bin'), join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'tools'));
  for (const file of ['bootstrap.js', 'node24.js', 'relay.js'])
    cpSync(join(CHECKOUT, 'tools', file), join(root, 'tools', file));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: LOCK }));
  mkdirSync(join(root, 'fake'));
  writeFileSync(join(root, 'fake', 'package.json'), '{"type":"commonjs"}');
  writeFileSync(join(root, 'fake', 'npm-cli.js'), FAKE_NPM);
  mkdirSync(join(root, 'demo'));
  writeFileSync(join(root, 'demo', 'main.js'), TARGET);
});

/** What the target, or what runs it, was told; npm is the stand-in. */
function run(args: string[], env: Record<string, string> = {}) {
  const npm = { npm_execpath: join(root, 'fake', 'npm-cli.js'), npm_node_execpath: process.execPath };
  const options = { cwd: tmpdir(), encoding: 'utf8', env: { ...process.env, ...npm, ...env } } as const;
  return spawnSync(process.execPath, [join(root, 'tools', 'bootstrap.js'), ...args], options);
}

function npmCalls(): string[] {
  try {
    return readFileSync(join(root, 'npm-calls'), 'utf8').trim().split('\n');
  } catch {
    // Never called: there is no such file.
    return [];
  }
}

function installedAre(packages: object): void {
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(join(root, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
}

test.each([
  ['nothing is there', undefined],
  ['a package is missing', {}],
  ['a package is of another version', { 'node_modules/one': { version: '1.0.1', integrity: 'sha512-one' } }],
  ['a package has other bytes', { 'node_modules/one': { version: '1.0.0', integrity: 'sha512-two' } }],
])('installs once when %s, says so in one line, and runs the target', (_, packages) => {
  if (packages !== undefined) installedAre(packages);
  const { status, stdout, stderr } = run(['demo/main.js', '0', '--seed', '7']);
  expect([status, stderr.trim().split('\n').length]).toEqual([0, 1]);
  expect(JSON.parse(stdout).args).toEqual(['0', '--seed', '7']);
  expect(run(['demo/main.js', '0']).stderr).toBe('');
  expect(npmCalls()).toEqual(['ci --include=dev --no-audit --no-fund --loglevel=error']);
});

test('a failed install stops with a message, the target unrun', () => {
  const { status, stdout, stderr } = run(['demo/main.js', '0'], { NPM_CODE: '3' });
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain('npm ci failed with code 3');
});

test('keeps the target’s exit code, and 128 + the number of the signal that ended it; the checkout’s commands come first', () => {
  // Another platform's optional package and a workspace's link need not be there.
  installedAre(INSTALLED);
  const { status, stdout } = run(['demo/main.js', '7']);
  expect(JSON.parse(stdout).path.startsWith(join(root, 'node_modules', '.bin'))).toBe(true);
  expect([status, run(['demo/main.js', 'die']).status, npmCalls()]).toEqual([7, 128 + 9, []]);
});

/** Runs a target that waits in a shell, which gets a signal once it does; gives what the target said last. */
async function signalled(command: string, signal: NodeJS.Signals, env: Record<string, string> = {}) {
  installedAre(INSTALLED);
  const options = { cwd: root, env: { ...process.env, ...env } };
  const shell = spawn('sh', ['-c', command], { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  shell.stdout.on('data', (data) => {
    stdout += data;
    if (String(data).includes('ready')) shell.kill(signal);
  });
  // The pipe closes when the last process that holds it is gone.
  await new Promise((resolve) => shell.on('close', resolve));
  return [shell.exitCode, stdout.trim().split('\n').at(-1)];
}
const WAITING = `"${process.execPath}" tools/bootstrap.js demo/main.js wait`;

describe.runIf(process.platform !== 'win32')('a signal', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s is passed on, and the clean end waited for',
    async (signal) => {
      expect(await signalled(`exec ${WAITING}`, signal)).toEqual([0, signal]);
    },
  );

  test('for npm’s shell alone stops the target', async () => {
    // The second command keeps the shell from becoming the first.
    const [, last] = await signalled(`${WAITING}; true`, 'SIGTERM', { npm_command: 'run-script' });
    expect(last).toBe('SIGTERM');
  });
});
