import type { z } from 'zod';
import { valueAt } from './changes.ts';

/** The problems of a configuration file, one line each: key, what was expected, what was seen. */
export function fileProblems(error: z.ZodError, input: unknown): string[] {
  return error.issues.flatMap((issue) => {
    const where = issue.path.map(String);
    const value = valueAt(input, issue.path);
    if (issue.code === 'unrecognized_keys') {
      // The value of an unknown key is not shown: it may be a password in the wrong place.
      return issue.keys.map(
        (key) => `${[...where, key].join('.')}: expected no such key, seen ${kindOf(valueAt(value, [key]))}`,
      );
    }
    const reasons = issue.code === 'invalid_key' ? issue.issues.map((each) => each.message) : [issue.message];
    const shown = issue.code === 'invalid_key' ? JSON.stringify(where.at(-1)) : seen(value);
    return [`${where.join('.') || 'the configuration'}: ${reasons.join(', ')}, seen ${shown}`];
  });
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
