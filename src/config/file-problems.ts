import type { z } from 'zod';
import { keysAt } from './schema.ts';

/** The problems of a configuration file, one line each: key, what was expected, what was seen. */
export function fileProblems(error: z.ZodError, input: unknown): string[] {
  return error.issues.flatMap((issue) => {
    const where = issue.path.map(String);
    const value = valueAt(input, issue.path);
    if (issue.code === 'unrecognized_keys') {
      // The value of an unknown key is not shown: it may be a password in the wrong place.
      return issue.keys.map((key) => {
        const meant = nearest(key, keysAt(where));
        return `${[...where, key].join('.')}: expected no such key, seen ${kindOf(valueAt(value, [key]))}${meant === undefined ? '' : `; ${meant}?`}`;
      });
    }
    const reasons = issue.code === 'invalid_key' ? issue.issues.map((each) => each.message) : [issue.message];
    const shown = issue.code === 'invalid_key' ? JSON.stringify(where.at(-1)) : seen(value);
    return [`${where.join('.') || 'the configuration'}: ${reasons.join(', ')}, seen ${shown}`];
  });
}

/** The value at a path; undefined where there is none. */
function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const step of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined;
  }
  return value;
}

function seen(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value).slice(0, 80);
    case 'number':
    case 'boolean':
      return String(value);
    case 'bigint':
      return `${value}n`;
    default:
      return kindOf(value);
  }
}

/** The kind of a value, without its content. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return `an object with ${Object.keys(value).join(', ') || 'nothing in it'}`;
  return `a ${typeof value}`;
}

/** The key that was probably meant: the one with the fewest mistakes, where they are few for its length. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const [first] = known
    .map((each) => ({ each, mistakes: mistakesBetween(key, each) }))
    .filter(({ each, mistakes }) => mistakes <= Math.max(1, each.length / 3))
    .sort((a, b) => a.mistakes - b.mistakes);
  return first?.each;
}

/** Letters to insert, to leave out, to change, or to swap with their neighbour, so that `a` becomes `b`. */
function mistakesBetween(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!;
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = above[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      const swaps = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = swaps ? rows[i - 2]![j - 2]! + 1 : changed;
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, changed, swapped));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
