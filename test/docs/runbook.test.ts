import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const RUNBOOK = readFileSync(join(ROOT, 'docs', 'runbook.md'), 'utf8');

/** Stand-ins of the runbook for values: `…`, a word in capitals, a word in italics. */
const VALUE = /…|\b(?:GRAPH|TOPIC|NAME|N)\b|\*[^*]+\*/;

/**
 * The messages that the runbook quotes: whatever stands between double quotes, and the reasons in the first column of the table
 * "not ready", outside of code. A quote is a part of a message, or the name of a panel of the dashboards.
 */
function quoted(): string[] {
  const prose = RUNBOOK.replaceAll(/^```.*?^```/gms, '');
  const quotes = [...prose.matchAll(/"([^"\n]+)"/g)].map(([, quote = '']) => quote);
  const table = /^### not ready$.*?(?=^### )/ms.exec(prose)?.[0] ?? '';
  const reasons = [...table.matchAll(/^\| ([^|]+) \|/gm)].map(([, reason = '']) => reason);
  return [...quotes, ...reasons.filter((reason) => !/^(reason|---)$/.test(reason))];
}

/** Every source as it reads when it runs: parts of a text that stand on several lines are one. */
const SOURCES = globSync('{src,topics}/**/*.{ts,js,html}', { cwd: ROOT })
  .map((path) => readFileSync(join(ROOT, path), 'utf8'))
  .map((text) =>
    text
      .replaceAll(/['`"]\s*\+\s*['`"]/g, '')
      .replaceAll(/\$\{[^{}]*\}/g, '…')
      .replaceAll("\\'", "'"),
  );
const PANELS = readFileSync(join(ROOT, 'monitoring', 'grafana-dashboard.json'), 'utf8');

function isSaid(quote: string): boolean {
  const parts = quote.split(VALUE).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const message = new RegExp(parts.map((part) => part.trim()).join('[^\\n]*?'));
  return PANELS.includes(`"title": "${quote}`) || SOURCES.some((source) => message.test(source));
}

describe('the runbook', () => {
  test('quotes messages at all', () => {
    expect(quoted().length).toBeGreaterThan(40);
  });

  test.each([...new Set(quoted())])('quotes what the program says: %s', (quote) => {
    expect(isSaid(quote)).toBe(true);
  });
});
