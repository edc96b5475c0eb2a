import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FatalError } from '../../src/errors/errors.ts';
import type { EdgeName } from '../../src/graph/edge.ts';
import { entityKey, MAX_ID_BYTES } from '../../src/graph/entity.ts';
import { Layout } from '../../src/graph/layout.ts';
import { MODEL, tweet, user } from './graph-fixture.ts';

const layout = new Layout(MODEL);
const edgeKey = (edge: EdgeName) => layout.keyOf(layout.edgeId(edge));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Any valid id: 1 to 256 bytes of UTF-8, no control characters. */
const id = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
  )
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text) && Buffer.byteLength(text) <= MAX_ID_BYTES);
const key = fc.tuple(fc.constantFrom('user', 'tweet'), id).map(([type, each]) => entityKey(type, each));
const relation = fc.constantFrom('follows', 'likes');

describe('Layout', () => {
  test('encodes every kind of key, byte for byte', () => {
    expect(hex(layout.headKey())).toBe('6d');
    // e, type 0, one byte less one, a
    expect(hex(layout.prefixes.edgesOut(user('a')))).toBe('65000061');
    expect(hex(layout.prefixes.edgesOut(tweet('a:b')))).toBe('650102613a62');
    // n, s or j and the number, 258 is 0x0102; the largest that a double holds
    expect(hex(layout.namesKey(258))).toBe('6e0000000000000102');
    expect(hex(layout.statesKey(258))).toBe('730000000000000102');
    expect(hex(layout.journalKey(258))).toBe('6a0000000000000102');
    expect(hex(layout.journalKey(Number.MAX_SAFE_INTEGER))).toBe('6a001fffffffffffff');
    const edge = { lhs: user('a'), relation: 'likes', rhs: tweet('bc') };
    expect(hex(edgeKey(edge))).toBe('65000061010101'.concat('6263'));
    expect(hex(layout.turned(edgeKey(edge)))).toBe('6901016263'.concat('01', '000061'));
    expect(layout.edgeId(edge)).toBe('e\0\0a\x01\x01\x01bc');
    // x, and what sha256sum says of user:a
    expect(hex(layout.erasedKey(user('a')))).toBe(
      '78767321b3673f590fcc4b5b441afbaade7a8be6db95273f71c67df0366924f43b',
    );
    const longest = 'x'.repeat(256);
    expect(hex(layout.prefixes.edgesOut(user(longest)))).toBe(`6500ff${'78'.repeat(256)}`);
  });

  test('encodes an edge as time and removed flag', () => {
    // 1 as float64, little-endian: sign and exponent last
    expect(hex(layout.encodeEdge({ at: 1, removed: false }))).toBe('000000000000f03f00');
    expect(hex(layout.encodeEdge({ at: 2, removed: true }))).toBe('000000000000004001');
    expect(layout.decodeEdge(Buffer.from('000000000000f03f01', 'hex'))).toEqual({ at: 1, removed: true });
  });

  test('decodes every entity, commit and edge that it encoded', () => {
    fc.assert(
      fc.property(key, relation, key, fc.maxSafeNat(), fc.boolean(), (lhs, name, rhs, number, removed) => {
        const edge = { lhs, relation: name, rhs };
        expect(layout.entityOf(layout.prefixes.edgesOut(lhs))).toBe(lhs);
        expect(layout.entityOf(layout.prefixes.edgesOut(rhs))).toBe(rhs);
        expect(layout.edgeOf(edgeKey(edge))).toEqual(edge);
        expect(layout.edgeOf(layout.turned(edgeKey(edge)))).toEqual(edge);
        expect(layout.turned(layout.turned(edgeKey(edge)))).toEqual(layout.keyOf(layout.edgeId(edge)));
        expect(layout.numberOf(layout.journalKey(number))).toBe(number);
        expect(layout.decodeEdge(layout.encodeEdge({ at: number, removed }))).toEqual({
          at: number,
          removed,
        });
      }),
    );
  });

  test('keeps the ranges of entities apart, however similar their ids', () => {
    const starts = (whole: Buffer, part: Buffer) => whole.subarray(0, part.length).equals(part);
    const check = (
      one: ReturnType<typeof user>,
      other: ReturnType<typeof user>,
      name: string,
      end: typeof one,
    ) => {
      const edge = { lhs: other, relation: name, rhs: end };
      expect(starts(edgeKey(edge), layout.prefixes.edgesOut(one))).toBe(one === other);
      const back = { ...edge, lhs: end, rhs: other };
      expect(starts(layout.turned(edgeKey(back)), layout.prefixes.edgesIn(one))).toBe(one === other);
      const touches = [edge, back].map((each) => layout.touching(one)(layout.edgeId(each)));
      expect(touches).toEqual(new Array(2).fill(one === other || one === end));
    };
    const alike = ['a', 'ab', 'aÿ', 'a\u{10ffff}', 'b', 'a'.repeat(255), 'a'.repeat(256)];
    for (const one of alike) for (const other of alike) check(user(one), user(other), 'follows', user('a'));
    check(user('a'), tweet('a'), 'follows', user('a'));
    fc.assert(
      fc.property(id, id, relation, key, (one, tail, name, end) => {
        if (Buffer.byteLength(one + tail) <= MAX_ID_BYTES) check(user(one), user(one + tail), name, end);
      }),
    );
  });

  test('reports a damaged key as a damaged store', () => {
    const edge = edgeKey({ lhs: user('a'), relation: 'likes', rhs: tweet('bc') });
    const damaged = [
      () => layout.entityOf(Buffer.from('6e', 'hex')),
      () => layout.entityOf(Buffer.from('6e00', 'hex')),
      () => layout.entityOf(Buffer.from('6e0000', 'hex')),
      () => layout.entityOf(Buffer.from('6e000561', 'hex')),
      () => layout.entityOf(Buffer.from('6e020061', 'hex')),
      () => layout.edgeOf(edge.subarray(0, edge.length - 1)),
      () => layout.edgeOf(edge.subarray(0, 4)),
      () => layout.edgeOf(edge.subarray(0, 5)),
      () => layout.edgeOf(Buffer.from('650000610201'.concat('0061'), 'hex')),
      () => layout.edgeOf(Buffer.concat([edge, Buffer.of(0)])),
      () => layout.numberOf(Buffer.from('6a000001', 'hex')),
      () => layout.decodeEdge(Buffer.from('000000000000f03f', 'hex')),
    ];
    for (const read of damaged) expect(read, String(read)).toThrow(FatalError);
    for (const read of damaged)
      expect(read, String(read)).toThrow(/the store holds an impossible (key|value): [0-9a-f]+/);
  });

  test('refuses types and relations that the graph does not have', () => {
    expect(() => layout.prefixes.edgesOut(entityKey('song', 'x'))).toThrow(
      /the graph has no entity type "song"/,
    );
    expect(() => edgeKey({ lhs: user('a'), relation: 'knows', rhs: user('b') })).toThrow(
      /the graph has no relation "knows"/,
    );
  });
});
