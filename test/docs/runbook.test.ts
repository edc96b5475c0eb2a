import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const runbook = read('docs/runbook.md')
  .replaceAll(/^ *```.*?^ *```$/gms, '')
  .replaceAll(/`[^`]*`/g, '');

/** What the program says, and what the panels of the dashboard are called. Texts that are joined in the sources are joined here. */
const said = [
  ...globSync('src/**/*.ts', { cwd: ROOT }),
  'monitoring/grafana-dashboard.json',
  'monitoring/alerts.yaml',
]
  .map((path) => read(path).replaceAll('\\', ''))
  .join('\n')
  .replaceAll(/['`"]\s*\+\s*['`"]/g, '');

/** The parts of a message that are the same each time. The runbook writes the others as …, GRAPH or N, or in italics. */
function constantParts(message: string): string[] {
  return message
    .replaceAll(/\s+/g, ' ')
    .split(/…|GRAPH|\bN\b|\*[^*]*\*/)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

test('the program says each message that the runbook quotes', () => {
  const quoted = [...runbook.matchAll(/"([^"]+)"/g)].map(([, message = '']) => message);
  expect(quoted.length).toBeGreaterThan(30);
  expect(quoted.filter((message) => !constantParts(message).every((part) => said.includes(part)))).toEqual(
    [],
  );
});

test('no message sends an operator to an empty store, which lacks what the topics no longer hold', () => {
  expect(said.match(/.*start from a fresh.*/g)).toBeNull();
});
