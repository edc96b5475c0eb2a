import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '../../src/errors/registry.ts';
import { errorsPage } from '../../tools/docs/errors.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const page = await readFile(join(DOCS, 'errors.md'), 'utf8');
const runbook = await readFile(join(DOCS, 'runbook.md'), 'utf8');
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

test.each([
  ['runbook.md', runbook],
  ['reliability.md', await readFile(join(DOCS, 'reliability.md'), 'utf8')],
])('every code that %s links to has a section', (_, text) => {
  const linked = [...text.matchAll(/\[`([a-z0-9-]+)`\]\(errors\.md#([a-z0-9-]+)\)/g)];
  expect(linked.length).toBeGreaterThan(4);
  expect(linked.filter(([, code = '', anchor]) => code !== anchor || !codes.has(code))).toEqual([]);
  expect([...text.matchAll(/\(errors\.md#(?!dead-letters)/g)]).toHaveLength(linked.length);
});

test('the runbook names a code in the title of each refusal', () => {
  const titles = refusals('It does not start', 'It stops');
  expect(titles.length).toBeGreaterThan(10);
  for (const section of titles) {
    const [title = ''] = section.split(/[:\n]/);
    for (const code of title.split(/, /)) {
      expect(codes, title).toContain(code);
      expect(section, title).toContain(`[\`${code}\`](errors.md#${code})`);
    }
  }
});

/** The `###` sections below these `##` titles, each from its title on. */
function refusals(...parts: string[]): string[] {
  return runbook
    .split(/^## /m)
    .filter((part) => parts.some((title) => part.startsWith(`${title}\n`)))
    .flatMap((part) => part.split(/^### /m).slice(1));
}
