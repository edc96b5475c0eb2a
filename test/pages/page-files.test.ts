import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readDashboard, readServingPage } from '../../src/pages/page-files.ts';

const MAX_BYTES = 150_000;
const FOLDER = join(import.meta.dirname, '..', '..', 'src', 'pages');
const filesIn = (folder: string) => readdirSync(join(FOLDER, folder)).map((name) => join(folder, name));
const read = (path: string) => readFileSync(join(FOLDER, path), 'utf8');
const PAGES = [
  ['dashboard', readDashboard, ['/uplot.css', '/uplot.js']],
  ['serving', readServingPage, []],
] as const;

describe.each(PAGES)('the page %s', (folder, readPage, more) => {
  test('is every file of its folder and of the shared one, below 150 kB in all', async () => {
    const page = await readPage();
    const own = filesIn(folder).map((path) => path.slice(folder.length).replace('index.html', ''));
    const shared = filesIn('shared').map((path) => `/${path}`);
    expect([...page.keys()].sort()).toEqual([...own, ...shared, ...more].sort());
    const bytes = [...page.values()].reduce((sum, { body }) => sum + body.length, 0);
    expect(bytes).toBeLessThan(MAX_BYTES);
    expect(page.get('/')?.type).toBe('text/html; charset=utf-8');
    expect(page.get('/main.js')?.type).toBe('text/javascript; charset=utf-8');
  });

  test('has no inline script or style, and loads what is there', async () => {
    const html = read(join(folder, 'index.html'));
    expect(html).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
    for (const [, inside] of html.matchAll(/<script[^>]*>([^<]*)<\/script>/g)) expect(inside).toBe('');
    const page = await readPage();
    for (const [, path = ''] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g))
      expect([...page.keys()]).toContain(path);
  });
});

describe.each(['dashboard', 'serving', 'shared'])('the files of %s', (folder) => {
  const names = filesIn(folder);
  const scripts = names.filter((name) => name.endsWith('.js'));

  test('name no other server', () => {
    for (const name of names.filter((each) => !each.endsWith('.svg')))
      expect([name, read(name).match(/https?:\/\//g)]).toEqual([name, null]);
  });

  test('never turn text into markup, and are type-checked', () => {
    for (const name of scripts) {
      const text = read(name);
      expect([name, text.startsWith('// @ts-check\n')]).toEqual([name, true]);
      expect([
        name,
        text.match(/innerHTML\s*=(?!=)|insertAdjacentHTML|outerHTML|document\.write|eval\(/g),
      ]).toEqual([name, null]);
    }
  });

  test('import only files of their own folder and of the shared one', () => {
    for (const name of scripts) {
      for (const [, path = ''] of read(name).matchAll(/from '([^']+)'/g)) {
        expect([name, path]).toEqual([name, expect.stringMatching(/^(\.|\.\.\/shared)\/[\w-]+\.js$/)]);
        expect([...names, ...filesIn('shared')]).toContain(join(folder, path));
      }
    }
  });
});
