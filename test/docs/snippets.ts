import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The indented blocks of a page that contain a text, without their indent. page: path from the checkout. */
export function snippets(page: string, containing: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '..', '..', page), 'utf8');
  const blocks = text.match(/(?:^(?: {4}.*)?\n)+/gm) ?? [];
  return blocks
    .filter((block) => block.includes(containing))
    .map((block) => block.replaceAll(/^ {4}/gm, '').trim());
}
