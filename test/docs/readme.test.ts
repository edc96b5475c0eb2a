import { spawnSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder } from '../fresh-folder.ts';
import { blocks } from './blocks.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test('the TypeScript example compiles in a strict project', async () => {
  const folder = await freshFolder();
  const [example] = blocks('README.md', 'ts');
  expect(example).toContain("from '@platformatic/kafka'");
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
