import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const PAGES = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).sort();

/** Names of a page's headings, as GitHub makes them from the text. */
function headings(path: string): string[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^```.*?^```$/gms, '');
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(PAGES)('%s links to files and headings that exist', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
  const links = [...text.matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  const broken = links.flatMap(([, file = '', heading]) => {
    const target = file === '' ? join(ROOT, page) : join(ROOT, dirname(page), file);
    if (!existsSync(target)) return [file];
    return heading === undefined || headings(target).includes(heading) ? [] : [`${file}#${heading}`];
  });
  expect(broken).toEqual([]);
});

const ROOMS = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !/^\.|^node_modules$|^dist$/.test(entry.name))
  .map(({ name }) => name);
/** Code in a sentence that begins with a room of the clone; the name of a module stands without its ending. */
const PATH = new RegExp(`\`((?:${ROOMS.join('|')})/[\\w./-]*)\``, 'g');
const ENDINGS = ['', '.ts', '.test.ts', '.js'];

test.each(PAGES)('%s names files and folders that exist', (page) => {
  const text = readFileSync(join(ROOT, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
  const paths = [...text.matchAll(PATH)].map(([, path = '']) => path);
  const missing = paths.filter(
    (path) => !ENDINGS.some((ending) => existsSync(join(ROOT, `${path}${ending}`))),
  );
  expect(missing).toEqual([]);
});

test('docs/README.md names every page', () => {
  const index = readFileSync(join(ROOT, 'docs', 'README.md'), 'utf8');
  const pages = globSync('docs/*.md', { cwd: ROOT }).map((path) => relative('docs', path));
  expect(pages.filter((page) => page !== 'README.md' && !index.includes(`](${page})`))).toEqual([]);
});
