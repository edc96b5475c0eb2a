import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { ShapeError } from '../../src/errors/errors.ts';
import {
  decodeParcel,
  encodeParcel,
  type NamedVectors,
  type Names,
  NO_NAMES,
  type Parcel,
} from '../../src/shards/parcel.ts';

const DIM = 5;

/** A name as in a store's keys: type, length of the id less one, id. */
function nameOf(type: number, id: string): Buffer {
  const bytes = Buffer.from(id);
  return Buffer.concat([Buffer.from([type, bytes.length - 1]), bytes]);
}

/** Ids of 1 to 256 bytes, among them the longest of one, two, three and four bytes a character. */
const id = fc.oneof(
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((text) => Buffer.byteLength(text) <= 256),
  fc.constantFrom('a'.repeat(256), 'é'.repeat(128), '€'.repeat(85), '🦆'.repeat(64)),
);
const float = fc.float({ noNaN: true, min: -8, max: 8 });
const namedOf = (width: number) =>
  fc
    .array(
      fc.record({
        type: fc.nat(254),
        id,
        vector: fc.array(float, { minLength: width, maxLength: width, size: 'max' }),
      }),
      { maxLength: 12, size: 'max' },
    )
    .map(
      (list): NamedVectors => ({
        count: list.length,
        names: Buffer.concat(list.map((each) => nameOf(each.type, each.id))),
        halves: Float16Array.from(list.flatMap(({ vector }) => vector)),
      }),
    );
const list: fc.Arbitrary<Names> = fc
  .array(fc.tuple(fc.nat(254), id), { maxLength: 5, size: 'max' })
  .map((names) => ({ count: names.length, names: Buffer.concat(names.map((name) => nameOf(...name))) }));
const parcels: fc.Arbitrary<Parcel> = fc
  .record({
    from: fc.nat(255),
    run: fc.string({ unit: 'grapheme', maxLength: 20 }),
    first: fc.maxSafeNat(),
    edges: fc.nat(5_000),
    part: fc.nat(65_535),
    gradients: namedOf(DIM),
    vectors: namedOf(DIM + 1),
    wanted: list,
    relations: fc.array(float, { maxLength: 24, size: 'max' }).map((numbers) => Float32Array.from(numbers)),
  })
  .map(({ first, edges, ...rest }) => {
    const from = Math.min(first, Number.MAX_SAFE_INTEGER - edges);
    return { ...rest, first: from, last: from + edges };
  });

/** Numbers and bytes of a parcel, whatever arrays they lie in. */
function plain({ gradients, vectors, relations, wanted, ...rest }: Parcel) {
  const list = [wanted.count, Buffer.from(wanted.names).toString('hex')];
  const parts = [gradients, vectors].map(({ count, names, halves }) => ({
    count,
    names: Buffer.from(names).toString('hex'),
    halves: [...halves],
  }));
  return { ...rest, parts, list, relations: [...relations] };
}

const NONE: NamedVectors = { count: 0, names: new Uint8Array(0), halves: new Float16Array(0) };
const EMPTY: Parcel = {
  ...{ from: 3, run: 'r', first: 10, last: 20, part: 0 },
  ...{ gradients: NONE, vectors: NONE, relations: new Float32Array(0) },
  wanted: NO_NAMES,
};
const FULL: Parcel = {
  ...EMPTY,
  gradients: { count: 1, names: nameOf(1, 'tweet'), halves: Float16Array.of(1, 2, 3, 4, 5) },
  vectors: {
    count: 2,
    names: Buffer.concat([nameOf(0, 'ö'), nameOf(2, 'x')]),
    halves: Float16Array.from({ length: 2 * (DIM + 1) }, (_, k) => k / 8),
  },
  relations: Float32Array.of(0.1, 0.2, 0.3),
  wanted: { count: 1, names: nameOf(3, 'w') },
};

describe('a parcel', () => {
  test('is the same once it is encoded and decoded, wherever its bytes lie', () => {
    fc.assert(
      fc.property(parcels, fc.nat(7), (parcel, shift) => {
        const bytes = encodeParcel(parcel, DIM);
        // A record's value begins anywhere in the bytes of its batch.
        const batch = new Uint8Array(bytes.length + shift);
        batch.set(bytes, shift);
        expect(plain(decodeParcel(batch.subarray(shift), DIM))).toEqual(plain(parcel));
        expect(Buffer.from(batch.subarray(shift))).toEqual(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it('lies in the bytes that the layout draws', () => {
    const bytes = encodeParcel(FULL, DIM);
    expect(bytes.readUInt8(0)).toBe(5);
    expect([2, 4, 6].map((at) => bytes.readUInt16LE(at))).toEqual([0, 3, DIM]);
    expect([8, 16].map((at) => bytes.readDoubleLE(at))).toEqual([10, 20]);
    // Relation floats; gradients, vectors and wanted, each with the bytes of the names; bytes of the run.
    const counts = [24, 28, 32, 36, 40, 44, 48, 52].map((at) => bytes.readUInt32LE(at));
    expect(counts).toEqual([3, 1, 7, 2, 7, 1, 3, 1]);
    expect(bytes.readFloatLE(56)).toBe(Math.fround(0.1));
    // 2.0 and 0.125 in half precision.
    expect([bytes.readUInt16LE(70), bytes.readUInt16LE(80)]).toEqual([0x4000, 0x3000]);
    expect(bytes.subarray(102, 103).toString()).toBe('r');
    expect(bytes.subarray(105, 110).toString()).toBe('tweet');
    expect(bytes.subarray(-1).toString()).toBe('w');
    expect(bytes.length).toBe(56 + 12 + 34 + 1 + 7 + 7 + 3);
  });
});

describe('what is no parcel', () => {
  const bytes = encodeParcel(FULL, DIM);

  test('any part of a parcel, or more than one', () => {
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeParcel(bytes.subarray(0, length), DIM), `${length} bytes`).toThrow(ShapeError);
    expect(() => decodeParcel(bytes.subarray(0, 67), DIM)).toThrow('it has 67 bytes, and needs 68');
    expect(() => decodeParcel(Buffer.concat([bytes, Buffer.alloc(1)]), DIM)).toThrow(
      'it has 121 bytes, and needs 120',
    );
  });

  test('a parcel with another number for a length, in its header or before a name', () => {
    for (const at of [...Array.from({ length: 32 }, (_, i) => 24 + i), 104, 111, 118]) {
      for (let bit = 0; bit < 8; bit++) {
        const value = bytes[at]! ^ (1 << bit);
        const flipped = Buffer.from(bytes);
        flipped[at] = value;
        expect(() => decodeParcel(flipped, DIM), `byte ${at}: ${value}`).toThrow(ShapeError);
      }
    }
  });

  test('any bytes: they are a parcel, or a ShapeError says why not', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4, size: 'max' }),
        (changes) => {
          const changed = Buffer.from(bytes);
          for (const [at, value] of changes) changed[at] = value;
          try {
            decodeParcel(changed, DIM);
          } catch (error) {
            expect(error).toBeInstanceOf(ShapeError);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test.each([
    ['NaN', Number.NaN, 20],
    ['a fraction', 10.5, 20],
    ['below zero', -1, 20],
    ['after its end', 21, 20],
    ['without an end', 10, Number.POSITIVE_INFINITY],
  ])('a parcel of a range that begins at %s', (_, first, last) => {
    expect(() => decodeParcel(encodeParcel({ ...FULL, first, last }, DIM), DIM)).toThrow(ShapeError);
  });

  test('no value, another version, vectors of another dimension', () => {
    expect(() => decodeParcel(null, DIM)).toThrow("can't be read: it has no value");
    expect(() => decodeParcel(bytes, DIM + 1)).toThrow("its vectors have 5 numbers; this graph's have 6");
    const newer = Buffer.from(bytes);
    newer.writeUInt8(4);
    expect(() => decodeParcel(newer, DIM)).toThrow('its version is 4; this process reads 5');
  });
});
