import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CODES, isCodeOf } from '../../src/errors/codes.ts';
import { FatalError, MAKE_AGAIN, RetryableError, UsageError } from '../../src/errors/errors.ts';
import { REJECTIONS } from '../../src/pipeline/reading/record-content.ts';

const ROOT = join(import.meta.dirname, '../..');
const THROWN = /(?:new [A-Z]\w+\(|super\()\s*'([a-z-]+)'|code: known \? error\.code : '([a-z-]+)'/g;
const sources = (pattern: string) =>
  globSync(pattern, { cwd: ROOT }).map((path) => [path, readFileSync(join(ROOT, path), 'utf8')] as const);
const page = (name: string) => readFileSync(join(ROOT, 'docs', name), 'utf8');
const runbook = page('runbook.md');

describe('the codes of errors', () => {
  const rejections = Object.entries(CODES).flatMap(([code, of]) => (of === 'bad-event' ? [code] : []));

  test('are all thrown', () => {
    const thrown = new Set(
      sources('{src,topics,demo,broker}/**/*.ts').flatMap(([, text]) =>
        [...text.matchAll(THROWN)].map(([, thrown, packed]) => thrown ?? packed),
      ),
    );
    expect(Object.keys(CODES).filter((code) => !thrown.has(code) && !rejections.includes(code))).toEqual([]);
  });

  test('of rejected records are the rows of the table in the wire contract, in the order of their precedence', () => {
    expect(rejections.toSorted()).toEqual(REJECTIONS.toSorted());
    const [, table = ''] = page('wire-contract.md').split('| Code | The record |');
    const rows = [...table.split('\n\n')[0]!.matchAll(/^\| `([a-z-]+)` \| .+ \|$/gm)];
    expect(rows.map(([, code]) => code)).toEqual(REJECTIONS);
  });

  test('that a page names are codes', () => {
    // A code in a reference reads [`store-open`](runbook.md#…), and in a title of the runbook it comes before the colon.
    const titles = refusals('It does not start', 'It stops').map(
      (section) => section.split(/[:\n]/)[0] ?? '',
    );
    expect(titles.length).toBeGreaterThan(10);
    const named = titles.flatMap((title) => title.split(/, /));
    const known = new Set(Object.keys(CODES));
    expect(named.filter((code) => !known.has(code))).toEqual([]);
  });
});

describe('what to do about a store that can not be run', () => {
  const steps = (text: string) =>
    ['backup', '--from-topic', 'replay', 'promot'].map((step) => text.indexOf(step));

  test('is told with the least loss first: restore a backup, or the vectors, replay, promote', () => {
    expect(steps(MAKE_AGAIN)).not.toContain(-1);
    expect(steps(MAKE_AGAIN)).toEqual(steps(MAKE_AGAIN).toSorted((a, b) => a - b));
    for (const code of ['store-damaged', 'store-open', 'store-read']) {
      const sites = sources('src/{adapters,pipeline,state}/**/*.ts').flatMap(([, text]) =>
        [...text.matchAll(new RegExp(`new FatalError\\(\\s*'${code}'(.{0,400})`, 'gs'))].map(
          ([, rest]) => rest,
        ),
      );
      expect([code, sites.some((site) => site?.includes('MAKE_AGAIN'))]).toEqual([code, true]);
    }
  });

  test('is never a start with an empty folder, which loses what the topics no longer hold', () => {
    const lossy =
      /(fresh|empty) TWHIN_STATE|fresh (folder|store)s?[.;:'`]|rebuilt from the topics[.;:'`]|folders? of (its|their) own in TWHIN_STATE: /;
    const told = sources('src/**/*.ts').flatMap(([path, text]) =>
      text
        .split('\n')
        .filter((line) => !/^\s*(\*|\/\*|\/\/)/.test(line) && lossy.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(told).toEqual([]);
  });
});

test('an error takes the codes of its own class, and a wrong usage none', () => {
  expect(isCodeOf('store-in-use', 'fatal')).toBe(true);
  expect(isCodeOf('store-in-use', 'retryable')).toBe(false);
  new FatalError('store-in-use', 'right');
  // @ts-expect-error: a fatal code in an error that is tried again.
  new RetryableError('store-in-use', 'wrong class');
  // @ts-expect-error: no such code.
  new FatalError('no-such-code', 'unknown');
  expect(new UsageError('k: wrong', { field: 'k' })).toMatchObject({ code: undefined, field: 'k' });
});

/** The `###` sections below these `##` titles, each from its title on. */
function refusals(...parts: string[]): string[] {
  return runbook
    .split(/^## /m)
    .filter((part) => parts.some((title) => part.startsWith(`${title}\n`)))
    .flatMap((part) => part.split(/^### /m).slice(1));
}
