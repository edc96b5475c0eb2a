import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: ROOT })];
/** The zsh of macOS knows no comments where it is typed into: after a command they are arguments of it. */
const AFTER_COMMAND = /\S\s+#\s/;
/** A line of its own does no harm, unless zsh finds more than words in it. */
const MORE_THAN_WORDS = /^\s*#.*['"`;|&<>()$?*[\]{}!~\\]/;

test.each(PAGES)('the commands of %s can be pasted into zsh, and found', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const lines = [...text.matchAll(/^ *```sh\n(.*?)^ *```$/gms)].flatMap(([, block = '']) =>
    block.split('\n'),
  );
  const wrong = lines.filter((line) => AFTER_COMMAND.test(line) || MORE_THAN_WORDS.test(line));
  expect(wrong).toEqual([]);
  if (lines.some((line) => line.startsWith('twhin '))) expect(text).toContain('type `npx twhin`');
});
