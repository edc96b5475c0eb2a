import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allBenches } from '../../bench/benches.ts';
import { measuredPage } from '../../tools/docs/measured.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'measured.md'), 'utf8');

test('docs/measured.md is what the results say, with a mark at each that is older than a change: npm run docs writes the page', () => {
  expect(page).toBe(measuredPage());
});

/** Options of `npm run bench` itself. */
const ANY = ['against', 'rounds', 'smoke', 'set', 'keep', 'json'];
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).filter(
  (path) => !path.endsWith('measured.md'),
);
const commands = pages.flatMap((path) => {
  const text = readFileSync(join(ROOT, path), 'utf8').replaceAll(/\s+/g, ' ');
  return [...text.matchAll(/npm run bench -- (?!NAME)([^`]+)`(?! at commit)/g)].map(
    ([, command = '']) => command,
  );
});

test('each bench that another page names is there today, with the options that the page gives', async () => {
  expect(commands.length).toBeGreaterThan(30);
  const benches = await allBenches();
  const wrong = commands.filter((command) => {
    const [name, ...rest] = command.split(' ');
    const there = [...ANY, ...Object.keys(benches.find((bench) => bench.name === name)?.sizes.full ?? {})];
    return (
      there.length === ANY.length || rest.some((word) => /^--/.test(word) && !there.includes(word.slice(2)))
    );
  });
  expect(wrong).toEqual([]);
});
