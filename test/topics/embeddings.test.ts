import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { ShapeError } from '../../src/errors/errors.ts';
import {
  decodeEmbedding,
  decodeVector,
  EmbeddingReader,
  embeddingHeaders,
  encodeVector,
} from '../../topics/index.ts';
import { AS_TEXT, HEADERS } from './headers.ts';

test('a vector is encoded as little-endian float32', () => {
  // 1 is 3f800000, -2 is c0000000.
  expect(encodeVector(new Float32Array([1, -2])).toString('hex')).toBe('0000803f000000c0');
  expect([...decodeVector(Buffer.from('0000803f000000c0', 'hex'))]).toEqual([1, -2]);
});

test('a vector is decoded bit for bit, at any byte offset', () => {
  const floats = fc.array(fc.float(), { maxLength: 40 });
  fc.assert(
    fc.property(floats, fc.integer({ min: 0, max: 3 }), (numbers, shift) => {
      const vector = new Float32Array(numbers);
      // Bytes from a client can start at any offset, not only at multiples of four.
      const moved = Buffer.concat([Buffer.alloc(shift), encodeVector(vector)]).subarray(shift);
      expect(decodeVector(moved)).toEqual(vector);
    }),
  );
});

test('a view of a larger array is encoded alone, and copied', () => {
  const table = new Float32Array([9, 1, -2, 9]);
  const bytes = encodeVector(table.subarray(1, 3));
  table.fill(0);
  expect(bytes.toString('hex')).toBe('0000803f000000c0');
});

test('headers are text, with numbers in decimal', () => {
  expect(embeddingHeaders(HEADERS)).toEqual(AS_TEXT);
});

test('decoding gives what was published', () => {
  const value = Buffer.from('0000803f000000c0', 'hex');
  const bytes = Object.fromEntries(Object.entries(AS_TEXT).map(([name, text]) => [name, Buffer.from(text)]));
  expect(decodeEmbedding(bytes, value)).toEqual({ ...HEADERS, vector: new Float32Array([1, -2]) });
  expect(decodeEmbedding(AS_TEXT, null).vector).toBeNull();
});

test('a record whose value is not a complete vector is refused', () => {
  expect(() => decodeVector(Buffer.alloc(7))).toThrow(ShapeError);
  expect(() => decodeEmbedding(AS_TEXT, Buffer.alloc(12))).toThrow(
    'header dim is 2, but the value holds 3 numbers',
  );
  expect(() => decodeEmbedding({ ...AS_TEXT, dtype: 'float16' }, null)).toThrow('"float16"');
  expect(() => decodeEmbedding({ ...AS_TEXT, step: '1e3' }, null)).toThrow('"1e3"');
  expect(() => decodeEmbedding({ dtype: 'float32' }, null)).toThrow('header dim is missing');
});

test('a reader gives what decodeEmbedding gives, for whatever records come one after the other', () => {
  const changes = [
    { step: '42' },
    { step: '0x10' },
    { at: '7' },
    { at: '' },
    { space: 'b' },
    { dim: '3' },
    { epoch: '4' },
  ];
  const others = [{ graph: 'g' }, { fingerprint: 'f1' }, { dtype: 'float16' }];
  const shared = [...changes, ...others].map((change) => ({ ...AS_TEXT, ...change }));
  const value = fc.oneof(
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
    fc.constantFrom(null, Buffer.alloc(0), Buffer.alloc(7), Buffer.alloc(12)),
  );
  const record = fc.record({ headers: fc.constantFrom(...shared, AS_TEXT, { dtype: 'float32' }), value });
  const outcome = (decode: () => unknown) => {
    try {
      return structuredClone(decode());
    } catch (error) {
      return error;
    }
  };
  fc.assert(
    fc.property(fc.array(record, { minLength: 10, maxLength: 40 }), (records) => {
      const reader = new EmbeddingReader();
      for (const { headers, value } of records)
        expect(outcome(() => reader.read(headers, value))).toEqual(
          outcome(() => decodeEmbedding(headers, value)),
        );
    }),
  );
});

test('a reader decodes shared headers once, and else what is not shared', () => {
  let asked = 0;
  const headers = new Proxy(AS_TEXT, {
    get: (of, name, self) => {
      asked++;
      return Reflect.get(of, name, self);
    },
  });
  const reader = new EmbeddingReader();
  reader.read(headers, encodeVector(new Float32Array([1, -2])));
  const first = asked;
  expect(reader.read(headers, encodeVector(new Float32Array([3, 4]))).vector).toEqual(Float32Array.of(3, 4));
  expect([first > 0, asked]).toEqual([true, first]);
  const texts = vi.spyOn(Buffer.prototype, 'toString');
  const bytes = Object.fromEntries(Object.entries(AS_TEXT).map(([name, text]) => [name, Buffer.from(text)]));
  reader.read(bytes, encodeVector(new Float32Array([1, -2])));
  texts.mockClear();
  expect(reader.read({ ...bytes, step: Buffer.from('42') }, Buffer.alloc(8)).step).toBe(42);
  const read = texts.mock.calls.length;
  texts.mockRestore();
  expect(read).toBe(2);
});
