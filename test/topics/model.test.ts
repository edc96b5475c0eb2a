import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShapeError } from '../../src/errors/errors.ts';
import {
  decodeRelation,
  encodeVector,
  type PublishedScorer,
  relationHeaders,
  relationKey,
} from '../../topics/index.ts';
import { AS_TEXT, HEADERS as VECTOR_HEADERS } from './headers.ts';

const TRAINED = { trained: true, scorer: 'transe-l2', beta: 9, lhs: 'user', rhs: 'tweet' } as const;
const HEADERS = { ...VECTOR_HEADERS, ...TRAINED };
const VALUE = encodeVector(Float32Array.of(1, -2));

test('key and headers are text that any client reads, with numbers in decimal', () => {
  expect(relationKey({ relation: 'like', inverse: false })).toBe('relation:like');
  expect(relationKey({ relation: 'like', inverse: true })).toBe('relation:like/inverse');
  expect(relationHeaders({ ...HEADERS, beta: 0.5 })).toEqual({
    ...AS_TEXT,
    trained: 'true',
    scorer: 'transe-l2',
    beta: '0.5',
    norm: '2',
    lhs: 'user',
    rhs: 'tweet',
  });
});

test('the norm is that of the scorer, and a dot product has none', () => {
  const normOf = (scorer: PublishedScorer) => relationHeaders({ ...HEADERS, scorer })['norm'];
  expect((['transe-l1', 'transe-l2', 'transe-l2-squared', 'twhin'] as const).map(normOf)).toEqual([
    '1',
    '2',
    '2',
    undefined,
  ]);
});

test('every relation vector is read back, bit for bit', () => {
  const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 40,
  });
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
  fc.assert(
    fc.property(
      numbers,
      name,
      fc.boolean(),
      fc.double({ min: 0.001, max: 1e6, noNaN: true }),
      (list, relation, inverse, beta) => {
        const vector = Float32Array.from(list);
        const headers = { ...HEADERS, dim: vector.length, beta };
        const bytes = Object.entries(relationHeaders(headers)).map(([key, text]) => [key, Buffer.from(text)]);
        const key = Buffer.from(relationKey({ relation, inverse }));
        const read = decodeRelation(key, Object.fromEntries(bytes), encodeVector(vector));
        expect(read).toEqual({ ...headers, relation, inverse, vector });
      },
    ),
  );
});

test('what is no relation vector is refused with the value seen', () => {
  const decode = (key: string | null, change: Record<string, string> = {}, value: Buffer | null = VALUE) => {
    try {
      decodeRelation(key, { ...relationHeaders(HEADERS), ...change }, value);
      return 'read';
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      return error.message;
    }
  };
  expect(decode('relation:like')).toBe('read');
  for (const key of [null, '', 'user:1', 'relation:', 'relation:like/other', 'relation:a/b/inverse'])
    expect(decode(key)).toMatch(
      /^key ".*" names no relation; expected relation:NAME or relation:NAME\/inverse$/,
    );
  expect(decode('relation:like', {}, null)).toBe('the value is empty; a relation vector is never deleted');
  expect(decode('relation:like', {}, VALUE.subarray(0, 4))).toContain(
    'header dim is 2, but the value holds 1',
  );
  expect(decode('relation:like', {}, encodeVector(Float32Array.of(1, Number.NaN)))).toContain('not finite');
  expect(decode('relation:like', { scorer: 'cosine' })).toMatch(
    /scorer is "cosine"; this version knows transe-l1, /,
  );
  expect(decode('relation:like', { scorer: 'constructor' })).toContain('scorer is "constructor"');
  for (const beta of ['0', '-1', 'much', '', 'Infinity'])
    expect(decode('relation:like', { beta })).toBe(
      `header beta is ${JSON.stringify(beta)}; expected a number above 0`,
    );
  expect(decode('relation:like', { trained: '1' })).toBe('header trained is "1"; expected true or false');
  expect(decode('relation:like', { step: '1.5' })).toContain('header step is "1.5"');
});
