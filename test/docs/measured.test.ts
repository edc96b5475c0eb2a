import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { measuredPage } from '../../tools/docs/measured.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'measured.md'), 'utf8');
const MARK = '*Older than a change of what it measures.*';

test('docs/measured.md is what the results say, with a mark at each that is older than a change: npm run docs writes the page', () => {
  expect(page).toBe(measuredPage());
});

test('each result gets the mark where what it measures was changed, and loses it where not', () => {
  const asked: string[] = [];
  const all = measuredPage(page, (commit, paths) => {
    asked.push(commit, ...paths);
    return true;
  });
  const none = measuredPage(page, () => false);
  const results = all.match(/^### /gm)?.length ?? 0;
  expect(results).toBeGreaterThan(10);
  expect(all.split(MARK)).toHaveLength(results + 1);
  expect(none).not.toContain(MARK);
  expect(asked).toContain('src/kernels');
});

test('where git has no history, the marks stay as they are', () => {
  const marked = measuredPage(page, (_, paths) => paths.includes('src/kernels/scan'));
  expect(marked).toContain(MARK);
  expect(measuredPage(marked, () => undefined)).toBe(marked);
});
