import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VARIABLES } from '../../src/config/environment.ts';
import { CONFIG_KEYS } from '../../src/config/schema.ts';
import { configurationPage } from '../../tools/docs/configuration.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'configuration.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| `'));

describe('docs/configuration.md', () => {
  test('is what npm run docs writes', () => {
    expect(page, 'run: npm run docs').toBe(configurationPage());
  });

  test('has one row for each variable and each key', () => {
    const variables = Object.keys(VARIABLES).map((name) => `| \`${name}\` |`);
    const keys = CONFIG_KEYS.map((key) => `| \`${key}\` |`);
    for (const start of [...variables, ...keys]) {
      expect([start, rows.filter((row) => row.startsWith(start)).length]).toEqual([start, 1]);
    }
    expect(rows).toHaveLength(variables.length + keys.length);
  });

  test('describes every variable that the sources name', () => {
    const named = globSync('src/**/*.ts', { cwd: ROOT }).flatMap((path) =>
      [...readFileSync(join(ROOT, path), 'utf8').matchAll(/['"`]((?:KAFKA|TWHIN)_[A-Z_]+)['"`:]/g)].map(
        ([, name = '']) => name,
      ),
    );
    expect(named).toContain('TWHIN_STATE');
    expect([...new Set(named)].filter((name) => !(name in VARIABLES))).toEqual([]);
  });
});
