import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AbortedTransaction,
  BatchDecoder,
  wholeBatches,
} from '../../../../src/adapters/kafka/reader/batches.ts';
import { LARGEST_RECORD_BYTES } from '../../../../src/adapters/kafka/reader/records.ts';
import type { SourceRecord } from '../../../../src/pipeline/ports.ts';
import { numbersOf } from '../../../kafka/collector.ts';
import { count } from '../../reader-conformance.ts';
import {
  batchBytes,
  counted,
  GZIP,
  LOG_APPEND_TIME,
  marker,
  type PlainBatch,
  type PlainRecord,
  recordBytes,
  sealed,
  TRANSACTIONAL,
  varint,
  ZSTD,
} from '../batch-bytes.ts';

const END = Number.MAX_SAFE_INTEGER;

interface Asked {
  readonly from?: number;
  readonly until?: number;
  readonly aborted?: readonly AbortedTransaction[];
  /** Bytes of records taken at a time. */
  readonly enoughBytes?: number;
}

/** All records of a decoder. Checks that each part reaches past its records, and further than the part before. */
async function decoded(
  bytes: Buffer,
  { from = 0, until = END, aborted = [], enoughBytes = 1 << 20 }: Asked = {},
): Promise<SourceRecord[]> {
  const decoder = new BatchDecoder({ topic: 't', partition: 3, bytes, aborted }, from, until);
  const all: SourceRecord[] = [];
  let reached = from;
  while (!decoder.done) {
    const { records, next } = await decoder.next(enoughBytes);
    const offsets = records.map(({ offset }) => offset);
    expect(offsets.every((offset) => offset >= reached && offset < next)).toBe(true);
    expect(next).toBeGreaterThanOrEqual(reached);
    reached = next;
    all.push(...records);
  }
  return all;
}

describe('whole batches', () => {
  const bytes = Buffer.concat([counted(10, 5), counted(15, 1), counted(30, 4, { epoch: 3 })]);
  const [first, second] = [counted(10, 5).length, counted(15, 1).length];

  test('all batches count, and the next fetch begins after them', () => {
    expect(wholeBatches(bytes, END, 't')).toEqual({ length: bytes.length, next: 34, epoch: 3 });
  });

  test.each([1, 40, 60, 61, 80])('a last batch that is cut off by %i bytes is left out', (bytesCut) => {
    expect(wholeBatches(bytes.subarray(0, bytes.length - bytesCut), END, 't')).toEqual({
      length: first + second,
      ...{ next: 16, epoch: 0 },
    });
  });

  test('no whole batch is different from the end of the stretch', () => {
    expect(wholeBatches(bytes.subarray(0, first - 1), END, 't')).toEqual({ length: 0, next: undefined });
    expect(wholeBatches(Buffer.alloc(0), END, 't')).toEqual({ length: 0, next: undefined });
    // The header of the cut-off batch shows that the batch is beyond the stretch.
    expect(wholeBatches(bytes.subarray(0, first - 1), 10, 't')).toEqual({ length: 0, next: 10 });
  });

  test.each([
    [15, first, 15, 0],
    [16, first + second, 16, 0],
    [29, first + second, 29, undefined],
    [31, bytes.length, 34, 3],
  ])('batches from offset %i on are left out', (until, length, next, epoch) => {
    expect(wholeBatches(bytes, until, 't')).toEqual({ length, next, epoch });
  });

  test('a batch that compaction emptied counts up to its last offset', () => {
    expect(wholeBatches(batchBytes({ base: 5, records: [], last: 4 }), END, 't').next).toBe(10);
  });

  test('the format before 0.11 is refused', () => {
    expect(() => wholeBatches(counted(7, 1, { magic: 1 }), END, 't')).toThrow(/t holds .* offset 7/);
  });
});

test('a part ends where the leader epoch changes, and has the epoch of its batches, markers included', async () => {
  const bytes = Buffer.concat([
    counted(0, 5, { epoch: 2 }),
    counted(5, 5, { epoch: 2 }),
    counted(10, 0, { epoch: 3 }),
    counted(11, 2, { epoch: 4 }),
  ]);
  const decoder = new BatchDecoder({ topic: 't', partition: 0, bytes, aborted: [] }, 0, END);
  const parts: unknown[] = [];
  while (!decoder.done) {
    const { records, next, epoch } = await decoder.next(1 << 20);
    parts.push([records.length, next, epoch]);
  }
  expect(parts).toEqual([
    [10, 10, 2],
    [0, 11, 3],
    [2, 13, 4],
  ]);
});

describe('records of batches', () => {
  test('each record has what was written, whatever its size', async () => {
    const long = Buffer.alloc(20_000, 'v');
    const records = [
      { at: 0, ms: 0, key: null, value: null },
      { at: 1, ms: -64, key: Buffer.alloc(0), value: Buffer.alloc(0) },
      { at: 63, ms: 8191, key: Buffer.from('k'), value: long },
      { at: 64, ms: -(2 ** 40), key: long, value: Buffer.from([0]) },
      { at: 2 ** 30, ms: 2 ** 45, value: Buffer.from('v') },
    ];
    const batch = { base: 2 ** 40, records, firstMs: 1000n };
    for (const attributes of [0, GZIP]) {
      expect(await decoded(batchBytes({ ...batch, attributes }))).toEqual(
        records.map(({ at, ms, key = null, value }) => ({
          ...{ topic: 't', partition: 3, key, value },
          offset: 2 ** 40 + at,
          timestamp: 1000 + ms,
        })),
      );
    }
  });

  test('each record has its own headers: of a name the last, none that is null; neighbours with the same ones share the object', async () => {
    const header = fc.tuple(
      fc.constantFrom('a', 'b', 'ü', '__proto__'),
      fc.constantFrom(null, '', '1', '2', 'long'),
    );
    const some = fc.array(fc.array(header, { maxLength: 3 }), { minLength: 1, maxLength: 3 });
    const batches = some.chain((kinds) => fc.array(fc.constantFrom(...kinds), { minLength: 1 }));
    await fc.assert(
      fc.asyncProperty(batches, fc.constantFrom(0, GZIP), async (all, attributes) => {
        const records = all.map((pairs, at) => ({
          at,
          headers: pairs.map(([name, text]) => [name, text === null ? null : Buffer.from(text)] as const),
        }));
        const found = await decoded(batchBytes({ base: 0, records, attributes }));
        const plain = records.map(({ headers }) => {
          const kept = headers.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
          return kept.length > 0 && Object.fromEntries(kept);
        });
        expect(found.map((record) => Object.hasOwn(record, 'headers') && record.headers)).toEqual(plain);
        for (let i = 1; i < all.length; i++)
          if (JSON.stringify(all[i]) === JSON.stringify(all[i - 1]))
            expect(found[i]!.headers).toBe(found[i - 1]!.headers);
      }),
    );
  });

  test('neighbours share the headers that are the same', async () => {
    const headers = (step: string) => [
      ['space', Buffer.from('s')] as const,
      ['step', Buffer.from(step)] as const,
    ];
    const records = ['1', '2', '2'].map((step, at) => ({ at, headers: headers(step) }));
    const [first, second, third] = await decoded(batchBytes({ base: 0, records }));
    expect(second!.headers).toEqual({ space: Buffer.from('s'), step: Buffer.from('2') });
    expect(second!.headers!['space']).toBe(first!.headers!['space']);
    expect(third!.headers).toBe(second!.headers);
  });

  test.each([5, 100])('a header of %i bytes that is cut off is refused behind a whole one', async (size) => {
    const headers = [['name', Buffer.alloc(size, 'v')]] as const;
    const records = [0, 1].map((at) => ({ at, headers }));
    const body = recordBytes(records[1]!).subarray(varint(size).length, -3);
    const pack = () => Buffer.concat([recordBytes(records[0]!), varint(body.length), body]);
    await expect(decoded(batchBytes({ base: 0, records, pack }))).rejects.toThrow(
      /record 1 of 2 is not as long as it says/,
    );
  });

  test("the broker's time counts where the broker sets it", async () => {
    const bytes = counted(0, 2, { firstMs: 5n, maxMs: 77n, attributes: LOG_APPEND_TIME });
    expect((await decoded(bytes)).map(({ timestamp }) => timestamp)).toEqual([77, 77]);
  });

  test('records of aborted transactions are left out up to their markers, also where transactions interleave', async () => {
    const of = (producerId: bigint): Partial<PlainBatch> => ({ producerId, attributes: TRANSACTIONAL });
    // Producer 7's abort ends at 8, producer 9's at 11; producer 7 commits later. A record with a marker's key is no marker.
    const trick = batchBytes({
      base: 6,
      records: [{ at: 0, key: Buffer.alloc(4), value: Buffer.from('6') }],
      ...of(7n),
    });
    const parts = [
      counted(0, 2),
      counted(2, 2, of(7n)),
      counted(4, 2, of(9n)),
      trick,
      counted(7, 1, of(7n)),
      marker(8, 7n, 'abort'),
      counted(9, 1, of(9n)),
      counted(10, 1, of(7n)),
      marker(11, 9n, 'abort'),
      counted(12, 1, of(9n)),
      counted(13, 1),
      marker(14, 7n, 'commit'),
    ];
    const starts = [0, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14];
    const seen = [0, 1, 10, 12, 13];
    // Brokers list transactions by where they end.
    const aborted = [
      { producerId: 9n, firstOffset: 4 },
      { producerId: 7n, firstOffset: 2 },
    ];
    for (const [index, from] of starts.entries()) {
      const open = aborted.filter(({ producerId }) => from <= (producerId === 7n ? 8 : 11));
      expect(
        numbersOf(await decoded(Buffer.concat(parts.slice(index)), { from, aborted: open })),
        `from ${from}`,
      ).toEqual(seen.filter((offset) => offset >= from));
    }
  });

  test('highly compressed batches are handed over a few at a time', async () => {
    const value = Buffer.alloc(400_000, 'x');
    const bytes = Buffer.concat(
      count(0, 6).map((base) => batchBytes({ base, records: [{ at: 0, value }], attributes: GZIP })),
    );
    const decoder = new BatchDecoder({ topic: 't', partition: 0, bytes, aborted: [] }, 0, END);
    const parts: unknown[] = [];
    while (!decoder.done) {
      const { records, next } = await decoder.next(1_000_000);
      parts.push([records.length, next]);
    }
    expect(parts).toEqual([
      [3, 3],
      [3, 6],
    ]);
  });

  test.each([
    ['gzip', GZIP, undefined],
    ['zstd', ZSTD, zstdCompressSync],
  ])('one %s batch of 300,000 records is handed over in parts of bounded size', async (_, codec, pack) => {
    const bytes = counted(0, 300_000, { attributes: codec, ...(pack && { pack }) });
    const decoder = new BatchDecoder({ topic: 't', partition: 0, bytes, aborted: [] }, 0, END);
    const offsets: number[] = [];
    while (!decoder.done) {
      const { records, next } = await decoder.next(100_000);
      // Each record has 12 bytes or more.
      expect(records.length).toBeLessThan(9_000);
      offsets.push(...records.map(({ offset }) => offset));
      expect(next).toBe(offsets.length);
    }
    expect(offsets).toEqual(count(0, 300_000));
  });

  test('parts of any size give the same records, and wanted offsets alone', async () => {
    const bytesOf = (maxLength: number) =>
      fc.option(
        fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes)),
        { nil: null },
      );
    const plain: fc.Arbitrary<Omit<PlainRecord, 'at'>> = fc.record({
      ms: fc.integer({ min: -100_000, max: 100_000 }),
      key: bytesOf(40),
      value: bytesOf(3_000),
      headers: fc.array(fc.tuple(fc.string({ maxLength: 20 }), bytesOf(60)), { maxLength: 3 }),
    });
    const batches = fc.array(
      fc.record({
        records: fc.array(plain, { maxLength: 25 }),
        codec: fc.constantFrom(0, GZIP, ZSTD),
      }),
      { minLength: 1, maxLength: 5 },
    );
    const size = fc.integer({ min: 1, max: 4_000 });
    await fc.assert(
      fc.asyncProperty(batches, size, fc.nat(99), fc.nat(99), async (given, enoughBytes, from, more) => {
        let base = 0;
        const all = given.map(({ records, codec }) => {
          const batch = batchBytes({
            base,
            records: records.map((record, at) => ({ ...record, at })),
            attributes: codec,
            ...(codec === ZSTD && { pack: zstdCompressSync }),
          });
          base += Math.max(1, records.length);
          return batch;
        });
        const bytes = Buffer.concat(all);
        const whole = await decoded(bytes, { enoughBytes: Number.POSITIVE_INFINITY });
        expect(whole.length).toBe(given.reduce((sum, { records }) => sum + records.length, 0));
        expect(await decoded(bytes, { enoughBytes })).toEqual(whole);
        const until = from + 1 + more;
        const wanted = whole.filter(({ offset }) => offset >= from && offset < until);
        expect(await decoded(bytes, { enoughBytes, from, until })).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });

  test('a record larger than any event is handed over cut, and the records after it are right', async () => {
    const huge = Buffer.alloc(LARGEST_RECORD_BYTES + 3_000_000, 'h');
    const header: readonly [string, Buffer] = ['behind', Buffer.from('x')];
    const records: PlainRecord[] = [
      { at: 0, value: Buffer.from('before') },
      { at: 1, key: Buffer.from('k'), value: huge, headers: [header] },
      { at: 2, value: Buffer.from('after'), headers: [header] },
      { at: 3, key: huge, value: Buffer.from('never seen') },
      { at: 4, value: Buffer.from('last') },
    ];
    for (const attributes of [0, GZIP]) {
      const found = await decoded(batchBytes({ base: 10, records, attributes }));
      expect(found.map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 14]);
      const [before, cut, after, keyed, last] = found;
      expect([before, after, last].map((record) => String(record?.value))).toEqual([
        'before',
        'after',
        'last',
      ]);
      expect(String(after?.headers?.['behind'])).toBe('x');
      expect(String(cut?.key)).toBe('k');
      for (const part of [cut?.value, keyed?.key]) {
        expect(part?.length).toBeLessThanOrEqual(LARGEST_RECORD_BYTES);
        expect(part?.length).toBeGreaterThan(LARGEST_RECORD_BYTES - 100);
      }
    }
    // Outside of the wanted offsets, the large record is skipped as any other.
    const bytes = batchBytes({ base: 10, records, attributes: GZIP });
    expect((await decoded(bytes, { from: 12, until: 13 })).map(({ offset }) => offset)).toEqual([12]);
  });

  describe('damage is reported with its offsets', () => {
    const whole = counted(40, 3);
    /** A batch that its producer wrote wrongly: the checksum is right. */
    const damaged = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(whole);
      change(bytes);
      return sealed(bytes);
    };
    test.each([
      ['a record longer than the batch', damaged((bytes) => bytes.writeUInt8(0xfe, 61))],
      ['a record shorter than its parts', damaged((bytes) => bytes.writeUInt8(0x02, 61))],
      ['more records than there are', damaged((bytes) => bytes.writeInt32BE(4, 57))],
      ['bytes that are not compressed', damaged((bytes) => bytes.writeUInt16BE(GZIP, 21))],
      ['an unknown compression', damaged((bytes) => bytes.writeUInt16BE(7, 21))],
    ])('%s', async (_, bytes) => {
      const error = await decoded(Buffer.concat([counted(0, 1), bytes])).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
      expect(String(error)).toMatch(/records 40 to 42 of t\/3 are damaged: .* replay from 43 on/);
    });

    test('a wrong checksum, wherever the wrong bit is; records before the batch are given', async () => {
      for (const at of [17, 20, 21, 24, 43, 61, whole.length - 1]) {
        const bytes = Buffer.from(whole);
        bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
        const batches = {
          topic: 't',
          partition: 3,
          bytes: Buffer.concat([counted(0, 40), bytes]),
          aborted: [],
        };
        const decoder = new BatchDecoder(batches, 0, END);
        const before = await decoder.next(END);
        expect(numbersOf(before.records)).toEqual(count(0, 40));
        expect([before.next, decoder.done]).toEqual([40, false]);
        const error = await decoder.next(END).catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
        expect(String(error)).toMatch(
          /records 40 to \d+ of t\/3 .* checksum is [\da-f]{8}, the batch says [\da-f]{8}; look at the disks/,
        );
      }
    });

    test('the checksum of a batch without records for readers is checked too', async () => {
      const bytes = marker(40, 7n, 'abort');
      bytes.writeUInt8(1, bytes.length - 8);
      await expect(decoded(bytes)).rejects.toMatchObject({ code: 'damaged-batch' });
    });
  });
});
