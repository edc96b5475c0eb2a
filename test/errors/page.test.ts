import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/errors/registry.ts';
import { errorsPage } from '../../tools/docs/errors.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const page = await readFile(join(DOCS, 'errors.md'), 'utf8');
const codes = new Set<string>(Object.keys(ERRORS));

test('docs/errors.md is what the registry says: npm run docs writes the page', () => {
  expect(page).toBe(errorsPage());
});

test('docs/errors.md has a section or a row for every code', () => {
  const titles = new Set(
    [...page.matchAll(/^### (.+)$|^\| `(.+?)` \|/gm)].map(([, title, row]) => title ?? row),
  );
  expect([...codes].filter((code) => !titles.has(code))).toEqual([]);
});
