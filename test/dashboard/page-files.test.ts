import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPage } from '../../src/dashboard/page-files.ts';

const MAX_BYTES = 150_000;
const FOLDER = join(import.meta.dirname, '..', '..', 'src', 'dashboard', 'page');
const names = readdirSync(FOLDER).filter((name) => name !== 'tsconfig.json');
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');

describe('the page', () => {
  test('is every file of the folder and the charts, below 150 kB in all', async () => {
    const page = await readPage();
    const own = names.map((name) => (name === 'index.html' ? '/' : `/${name}`));
    expect([...page.keys()].sort()).toEqual([...own, '/uplot.css', '/uplot.js'].sort());
    const bytes = [...page.values()].reduce((sum, { body }) => sum + body.length, 0);
    expect(bytes).toBeLessThan(MAX_BYTES);
    expect(page.get('/')?.type).toBe('text/html; charset=utf-8');
    expect(page.get('/main.js')?.type).toBe('text/javascript; charset=utf-8');
  });

  test('has no inline script or style, and names no other server', () => {
    const html = read('index.html');
    expect(html).not.toMatch(/<style|style=|\son\w+=|javascript:/i);
    for (const [, inside] of html.matchAll(/<script[^>]*>([^<]*)<\/script>/g)) expect(inside).toBe('');
    for (const name of names.filter((each) => !each.endsWith('.svg'))) {
      expect([name, read(name).match(/https?:\/\//g)]).toEqual([name, null]);
    }
  });

  test('never turns text into markup, and is type-checked', () => {
    for (const name of names.filter((each) => each.endsWith('.js'))) {
      const text = read(name);
      expect([name, text.startsWith('// @ts-check\n')]).toEqual([name, true]);
      expect([
        name,
        text.match(/innerHTML\s*=(?!=)|insertAdjacentHTML|outerHTML|document\.write|eval\(/g),
      ]).toEqual([name, null]);
    }
  });

  test('imports only files that exist', () => {
    for (const name of names.filter((each) => each.endsWith('.js'))) {
      for (const [, part = ''] of read(name).matchAll(/from '\.\/([^']+)'/g)) expect(names).toContain(part);
    }
    for (const [, path = ''] of read('index.html').matchAll(/(?:src|href)="\/([^"]+)"/g)) {
      expect([...names, 'uplot.js', 'uplot.css']).toContain(path);
    }
  });
});
