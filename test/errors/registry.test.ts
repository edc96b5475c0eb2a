import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FatalError, MAKE_AGAIN, RetryableError, UsageError } from '../../src/errors/errors.ts';
import { BAD_EVENTS, ERRORS, isCodeOf, SUBJECTS } from '../../src/errors/registry.ts';
import { REJECTIONS } from '../../src/pipeline/reading/record-content.ts';

const ROOT = join(import.meta.dirname, '../..');
const THROWN = /(?:new [A-Z]\w+\(|(?:packError|failed)\(\w+,|readText\(|super\()\s*'([a-z-]+)'/g;

/** Every code that the sources give to an error. */
const thrown = new Set(
  globSync('{src,topics,demo,broker}/**/*.ts', { cwd: ROOT })
    .flatMap((path) => [...readFileSync(join(ROOT, path), 'utf8').matchAll(THROWN)])
    .map(([, code = '']) => code),
);

describe('the registry of errors', () => {
  test('has no code that nothing throws', () => {
    const dead = (code: string) => !thrown.has(code) && !(code in BAD_EVENTS);
    expect(Object.keys(ERRORS).filter(dead)).toEqual([]);
  });

  test('has each code under one subject', () => {
    const codes = [...SUBJECTS.map(([, entries]) => entries), BAD_EVENTS].flatMap((entries) =>
      Object.keys(entries),
    );
    expect(codes.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
    expect(new Set(codes).size).toBe(codes.length);
  });

  test('says in whole sentences what happened and what to do', () => {
    const texts = Object.values(ERRORS).flatMap(({ happened, remedy }) => [happened, remedy]);
    expect(texts.filter((text) => !/^\p{Lu}|^(npm|twhin) /u.test(text) || !/[^|\n]\.$/.test(text))).toEqual(
      [],
    );
  });

  test('names the limits that the configuration sets, and states none of them', () => {
    for (const [code, limit] of [
      ['too-large', 'limits.valueBytes'],
      ['too-deep', 'limits.depth'],
    ] as const) {
      expect(BAD_EVENTS[code].happened).toContain(limit);
      expect(BAD_EVENTS[code].happened).not.toMatch(/\d/);
    }
  });

  test('has the codes of dead letters as the wire contract lists them', () => {
    expect(Object.keys(BAD_EVENTS).toSorted()).toEqual(REJECTIONS.toSorted());
  });
});

describe('what to do about a store that can not be run', () => {
  const steps = (text: string) =>
    ['twhin check', 'backup', 'replay', 'promot'].map((step) => text.indexOf(step));

  test('is told with the least loss first: check, restore a backup, replay, promote', () => {
    const remedies = (['store-damaged', 'store-open', 'store-read'] as const).map(
      (code) => ERRORS[code].remedy,
    );
    for (const text of [MAKE_AGAIN, ...remedies]) {
      expect(steps(text)).not.toContain(-1);
      expect(steps(text)).toEqual(steps(text).toSorted((a, b) => a - b));
    }
  });

  test('is never a start with an empty folder, which loses what the topics no longer hold', () => {
    const lossy =
      /(fresh|empty) TWHIN_STATE|fresh (folder|store)s?[.;:'`]|rebuilt from the topics[.;:'`]|folders? of (its|their) own in TWHIN_STATE: /;
    const told = globSync('src/**/*.ts', { cwd: ROOT }).flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .filter((line) => !/^\s*(\*|\/\*|\/\/)/.test(line) && lossy.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(told).toEqual([]);
  });
});

test('an error takes the codes of its own class', () => {
  expect(isCodeOf('store-in-use', 'fatal')).toBe(true);
  expect(isCodeOf('store-in-use', 'usage')).toBe(false);
  new FatalError('store-in-use', 'right');
  // @ts-expect-error: a fatal code in an error that is tried again.
  new RetryableError('store-in-use', 'wrong class');
  // @ts-expect-error: no such code.
  new UsageError('no-such-code', 'unknown');
});
