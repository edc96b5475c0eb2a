import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

test('the first screen of the README, up to its first section, is short', () => {
  const screen = readme.slice(0, readme.indexOf('\n## '));
  expect(screen.split('\n').length).toBeLessThanOrEqual(40);
  expect(screen.split(/\s+/).length).toBeLessThanOrEqual(430);
});

test('no line of the README is longer than 150 characters', () => {
  expect(readme.split('\n').filter((line) => line.length > 150)).toEqual([]);
});

test('the TypeScript example compiles in a strict project', () => {
  const folder = mkdtempSync(join(tmpdir(), 'readme-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [, example] = /^```ts\n(.*?)^```$/ms.exec(readme) ?? [];
  expect(example).toContain("from 'kafkajs'");
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'example.ts'), `${example}`);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck', '--types', 'node'];
  const target = ['--module', 'nodenext', '--target', 'es2024'];
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...flags, ...target, 'example.ts'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([0, '']);
}, 60_000);
