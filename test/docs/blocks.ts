import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');

/** The blocks of code of a page in a language, without their indent. page: path from the checkout. */
export function blocks(page: string, language: string, indent = ''): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const fenced = new RegExp(`^${indent}\`{3}${language}\\n(.*?)^${indent}\`{3}$`, 'gms');
  return [...text.matchAll(fenced)].map(([, code = '']) =>
    code.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

/** The indented blocks of a page that contain a text, without their indent. */
export function snippets(page: string, containing: string): string[] {
  const found = readFileSync(join(ROOT, page), 'utf8').match(/(?:^(?: {4}.*)?\n)+/gm) ?? [];
  return found
    .filter((block) => block.includes(containing))
    .map((block) => block.replaceAll(/^ {4}/gm, '').trim());
}
