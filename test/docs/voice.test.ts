import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
/** The pages that people write: `measured.md` is generated from results, some of them old. */
const PLAIN = ['README.md', ...globSync('docs/*.md', { cwd: ROOT })].filter(
  (page) => !page.endsWith('measured.md'),
);
const MOST_WORDS = 35;
/** Clauses in place of nouns: the noun is repeated instead. */
const PHRASES = /\b(that of|those of|those that|of which|whoever|what (?:is|was)|so many|as it is)\b/i;
/** A sentence begins with its subject. */
const STARTS = /^(Of|Asked|Merged|Whoever|Where)\b/;

/** The sentences of a page in Markdown, without code. A cell of a table and an item of a list are texts of their own. */
function sentencesOf(page: string): string[] {
  const prose = page
    .replaceAll(/^ *```.*?^ *```$/gms, '\n')
    .replaceAll(/^(?: {4}|\t).*$/gm, '')
    .replaceAll(/^\|[\s|:-]*$/gm, '');
  const texts = prose.split(/\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|#+|\|)\s)|(?<=^\|.*)\|/m);
  return texts.flatMap((text) =>
    text
      .replace(/^\s*(?:[-*]|\d+\.|#+|\|)\s/, '')
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/`[^`]*`/g, 'code')
      .replaceAll(/[*_|]/g, '')
      .replaceAll(/\s+/g, ' ')
      .split(/(?<=[.!?])\s+/)
      .map((sentence) => sentence.trim())
      .filter((sentence) => sentence !== ''),
  );
}

/** What is not plain about a page, a line each. */
function unplain(page: string): string[] {
  return sentencesOf(page).flatMap((sentence) => {
    const words = sentence.split(' ').length;
    const [phrase] = PHRASES.exec(sentence) ?? [];
    const [start] = STARTS.exec(sentence) ?? [];
    return [
      ...(words > MOST_WORDS ? [`${words} words: ${sentence}`] : []),
      ...(phrase === undefined ? [] : [`"${phrase}": ${sentence}`]),
      ...(start === undefined ? [] : [`begins with "${start}": ${sentence}`]),
    ];
  });
}

test.each(PLAIN)('%s is plain', (page) => {
  expect(unplain(readFileSync(join(ROOT, page), 'utf8'))).toEqual([]);
});
