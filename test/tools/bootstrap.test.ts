import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

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

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bootstrap-'));
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

afterEach(() => rmSync(root, { recursive: true }));

function start(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [join(root, 'tools', 'bootstrap.js'), ...args], {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      npm_execpath: join(root, 'fake', 'npm-cli.js'),
      npm_node_execpath: process.execPath,
      ...env,
    },
  });
}

async function bootstrap(args: string[], env: Record<string, string> = {}) {
  const child = start(args, env);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (data) => (stdout += data));
  child.stderr?.on('data', (data) => (stderr += data));
  const code = await new Promise((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
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

test('installs once when nothing is there, says so in one line, and runs the target', async () => {
  const first = await bootstrap(['demo/main.js', '0', '--seed', '7']);
  expect(first.code).toBe(0);
  expect(first.stderr.trim().split('\n').length).toBe(1);
  expect(JSON.parse(first.stdout).args).toEqual(['0', '--seed', '7']);
  expect(npmCalls()).toEqual(['ci --include=dev --no-audit --no-fund --loglevel=error']);
  const second = await bootstrap(['demo/main.js', '0']);
  expect(second.stderr).toBe('');
  expect(npmCalls().length).toBe(1);
});

test.each([
  ['a package is missing', {}],
  ['a package is of another version', { 'node_modules/one': { version: '1.0.1', integrity: 'sha512-one' } }],
  ['a package has other bytes', { 'node_modules/one': { version: '1.0.0', integrity: 'sha512-two' } }],
])('installs again when %s', async (_, packages) => {
  installedAre(packages);
  await bootstrap(['demo/main.js', '0']);
  expect(npmCalls().length).toBe(1);
});

test('another platform’s optional package and a workspace’s link need not be there', async () => {
  installedAre(INSTALLED);
  await bootstrap(['demo/main.js', '0']);
  expect(npmCalls()).toEqual([]);
});

test('a failed install stops with a message, the target unrun', async () => {
  const { code, stdout, stderr } = await bootstrap(['demo/main.js', '0'], { NPM_CODE: '3' });
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toContain('npm ci failed with code 3');
});

test('keeps the target’s exit code, and 128 + the number of the signal that ended it', async () => {
  installedAre(INSTALLED);
  expect((await bootstrap(['demo/main.js', '7'])).code).toBe(7);
  expect((await bootstrap(['demo/main.js', 'die'])).code).toBe(128 + 9);
});

test('puts the checkout’s commands first on the PATH', async () => {
  installedAre(INSTALLED);
  const { stdout } = await bootstrap(['demo/main.js', '0']);
  expect(JSON.parse(stdout).path.startsWith(join(root, 'node_modules', '.bin'))).toBe(true);
});

test('--vitest runs the tests once, with the arguments given', async () => {
  installedAre(INSTALLED);
  mkdirSync(join(root, 'node_modules', 'vitest'));
  writeFileSync(
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'console.log(process.argv.slice(2).join(" "))',
  );
  expect((await bootstrap(['--vitest', 'test/demo'])).stdout.trim()).toBe('run test/demo');
});

test.each(['SIGTERM', 'SIGINT'] as const)('passes %s on and waits for the clean end', async (signal) => {
  installedAre(INSTALLED);
  const child = start(['demo/main.js', 'wait']);
  let stdout = '';
  child.stdout?.on('data', (data) => {
    stdout += data;
    if (String(data).includes('ready')) child.kill(signal);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(code).toBe(0);
  expect(stdout.trim().split('\n').at(-1)).toBe(signal);
});

test.runIf(process.platform !== 'win32')(
  'stops the target when npm’s shell is ended and only that',
  async () => {
    installedAre(INSTALLED);
    // The second command keeps the shell from becoming the first.
    const command = `"${process.execPath}" tools/bootstrap.js demo/main.js wait; true`;
    const env = { ...process.env, npm_command: 'run-script' };
    const shell = spawn('sh', ['-c', command], { cwd: root, env, stdio: ['ignore', 'pipe', 'ignore'] });
    let stdout = '';
    shell.stdout.on('data', (data) => {
      stdout += data;
      if (String(data).includes('ready')) shell.kill('SIGTERM');
    });
    // The pipe closes when the last process that holds it is gone.
    await new Promise((resolve) => shell.stdout.on('close', resolve));
    expect(stdout.trim().split('\n').at(-1)).toBe('SIGTERM');
  },
);

test('nothing named is wrong usage', async () => {
  const { code, stderr } = await bootstrap([]);
  expect(code).toBe(2);
  expect(stderr).toContain('name what to run');
});
