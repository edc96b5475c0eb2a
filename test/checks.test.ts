import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json'));

interface Locked {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly version?: string;
}

/** Runs a tool of the checkout; what it says is the failure's message. */
function passes(script: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules', script), ...args],
    { cwd: ROOT, encoding: 'utf8', timeout: 300_000 },
  );
  expect(status, `${stdout}${stderr}`).toBe(0);
}

describe('tools', () => {
  const tsc = 'typescript/bin/tsc';
  test('the compiler takes every source', () => passes(tsc, '--noEmit'), 300_000);
  test.each(['src/kernels/assembly', 'src/kernels/scan/assembly', 'bench/kernel/assembly'])(
    'and those of %s, by their own setting',
    (folder) => passes(tsc, '-p', folder),
    300_000,
  );
  test(
    'formatter and linter have nothing to say',
    () => passes('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.'),
    300_000,
  );
});

describe('dependencies', () => {
  const wanted: [string, string][] = Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
  });
  const decisions = read('docs/adr/008-dependencies.md');
  const locked: [string, Locked][] = Object.entries(JSON.parse(read('package-lock.json')).packages);

  test.each(wanted)('%s %s is exact and has its reason on record', (name, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(decisions).toContain(`| ${name} | ${version} |`);
  });

  test('and the record names no other', () => {
    const named = [...decisions.matchAll(/^\| (\S+) \| \d+\.\d+\.\d+ \|/gm)].map(([, name]) => name);
    expect(named.sort()).toEqual(wanted.map(([name]) => name).sort());
  });

  test('are locked by integrity, from whichever registry a machine uses', () => {
    const packages = locked.filter(([path, { link }]) => path.startsWith('node_modules/') && !link);
    expect(packages.length).toBeGreaterThan(wanted.length);
    expect(packages.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
    expect(locked.filter(([, { resolved }]) => resolved?.includes('://'))).toEqual([]);
  });

  test.each([
    ['kernels/tfjs', /^[\w-]+==\d+(\.\d+)+ --hash=sha256:[0-9a-f]{64}$/],
    ['k8s', /^[\w-]+==\d+(\.\d+)+$/],
  ])('that pip brings for test/%s are pinned', (folder, pinned) => {
    const [, ...lines] = read(`test/${folder}/requirements.txt`).trim().split('\n');
    for (const line of lines) expect(line).toMatch(pinned);
    expect(lines.length).toBeGreaterThan(0);
  });

  test('of the tfjs kernel’s tests are exact', () => {
    const { dependencies } = JSON.parse(read('test/kernels/tfjs/package.json'));
    for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  test('are what the lock file says', () => {
    const versions = new Map(locked.map(([path, { version }]) => [path, version]));
    expect(wanted.filter(([name, version]) => versions.get(`node_modules/${name}`) !== version)).toEqual([]);
  });
});

// A folder without git, such as an unpacked archive, has no list of what belongs to it.
describe.skipIf(!existsSync(join(ROOT, '.git')))('what is tracked', () => {
  const { stdout } = spawnSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' });
  const tracked = stdout.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));

  test('leaves nothing open in a comment', () => {
    expect(linesWith(/\b(TODO|FIXME|XXX)\b/)).toEqual([]);
  });

  test('names no one’s machine', () => {
    expect(linesWith(/(^|[^\w.$}])\/(work|root|home|Users)\/\w/)).toEqual([]);
    expect(linesWith(/\bregistry\.\w+\.\w+/)).toEqual([]);
  });

  function linesWith(pattern: RegExp): string[] {
    // This file has the patterns in it.
    const others = tracked.filter((path) => path !== 'test/checks.test.ts' && !/\.(wasm|png)$/.test(path));
    return others.flatMap((path) =>
      read(path)
        .split('\n')
        .flatMap((line, at) =>
          pattern.test(line) ? [`${path}:${at + 1}: ${line.trim().slice(0, 120)}`] : [],
        ),
    );
  }
});
