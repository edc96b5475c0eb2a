import { describe, expect, test } from 'vitest';
import {
  type AbortedTransaction,
  Unpacking,
  wholeBatches,
} from '../../../../src/adapters/kafka/reader/batches.ts';
import type { SourceRecord } from '../../../../src/pipeline/ports.ts';
import { numbersOf } from '../../../kafka/collector.ts';
import {
  batchBytes,
  counted,
  GZIP,
  LOG_APPEND_TIME,
  marker,
  type PlainBatch,
  TRANSACTIONAL,
} from '../batch-bytes.ts';

const END = Number.MAX_SAFE_INTEGER;

async function unpack(
  bytes: Buffer,
  {
    from = 0,
    until = END,
    aborted = [],
  }: { from?: number; until?: number; aborted?: AbortedTransaction[] } = {},
): Promise<SourceRecord[]> {
  const unpacking = new Unpacking({ topic: 't', partition: 3, bytes, aborted }, from, until);
  const parts: SourceRecord[][] = [];
  while (!unpacking.done) parts.push(await unpacking.next(1 << 20));
  return parts.flat();
}

describe('whole batches', () => {
  const bytes = Buffer.concat([counted(10, 5), counted(15, 1), counted(30, 4)]);
  const [first, second] = [counted(10, 5).length, counted(15, 1).length];

  test('all of them, and where the next fetch begins', () => {
    expect(wholeBatches(bytes, END, 't')).toEqual({ length: bytes.length, next: 34 });
  });

  test.each([1, 40, 60, 61, 80])('a last one cut off by %i bytes or so is left out', (bytesCut) => {
    expect(wholeBatches(bytes.subarray(0, bytes.length - bytesCut), END, 't')).toEqual({
      length: first + second,
      next: 16,
    });
  });

  test('none is told from an end', () => {
    expect(wholeBatches(bytes.subarray(0, first - 1), END, 't')).toEqual({ length: 0, next: undefined });
    expect(wholeBatches(Buffer.alloc(0), END, 't')).toEqual({ length: 0, next: undefined });
    // Of the one cut off it can be seen that it lies behind.
    expect(wholeBatches(bytes.subarray(0, first - 1), 10, 't')).toEqual({ length: 0, next: 10 });
  });

  test.each([
    [15, first, 15],
    [16, first + second, 16],
    [29, first + second, 29],
    [31, bytes.length, 34],
  ])('what lies behind %i is left out', (until, length, next) => {
    expect(wholeBatches(bytes, until, 't')).toEqual({ length, next });
  });

  test('one that compaction emptied counts up to its last offset', () => {
    expect(wholeBatches(batchBytes({ base: 5, records: [], last: 4 }), END, 't').next).toBe(10);
  });

  test('the format before 0.11 is refused', () => {
    expect(() => wholeBatches(counted(7, 1, { magic: 1 }), END, 't')).toThrow(/t holds .* offset 7/);
  });
});

describe('records of batches', () => {
  test('each has what was written, whatever its size', async () => {
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
      expect(await unpack(batchBytes({ ...batch, attributes }))).toEqual(
        records.map(({ at, ms, key = null, value }) => ({
          ...{ topic: 't', partition: 3, key, value },
          offset: 2 ** 40 + at,
          timestamp: 1000 + ms,
        })),
      );
    }
  });

  test('headers: the last of a name, none that is null, and no name is special', async () => {
    const [one, two] = [Buffer.from('1'), Buffer.alloc(0)];
    const headersOf = async (headers: readonly (readonly [string, Buffer | null])[]) =>
      (await unpack(batchBytes({ base: 0, records: [{ at: 0, headers }] })))[0];
    expect(
      (
        await headersOf([
          ['a', one],
          ['ü', one],
          ['a', two],
        ])
      )?.headers,
    ).toEqual({ a: two, ü: one });
    const record = await headersOf([
      ['gone', null],
      ['__proto__', one],
    ]);
    expect(Object.entries(record?.headers ?? {})).toEqual([['__proto__', one]]);
    expect(await headersOf([['gone', null]])).not.toHaveProperty('headers');
  });

  test("times are the broker's where it dates them", async () => {
    const bytes = counted(0, 2, { firstMs: 5n, maxMs: 77n, attributes: LOG_APPEND_TIME });
    expect((await unpack(bytes)).map(({ timestamp }) => timestamp)).toEqual([77, 77]);
  });

  test('only what is asked for, of batches that reach beyond both ends', async () => {
    const bytes = Buffer.concat([
      counted(0, 10),
      batchBytes({ base: 10, records: [], last: 4 }),
      counted(15, 10),
    ]);
    expect(numbersOf(await unpack(bytes, { from: 7, until: 17 }))).toEqual([7, 8, 9, 15, 16]);
    expect(await unpack(bytes, { from: 10, until: 15 })).toEqual([]);
  });

  test('aborted transactions are left out up to their markers, whose producers may be in two at once', async () => {
    const of = (producerId: bigint): Partial<PlainBatch> => ({ producerId, attributes: TRANSACTIONAL });
    // 7's abort ends at 8, 9's at 11; 7 commits after that. Data with the key of a marker is no marker.
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
    // As a broker lists them: by where they end.
    const aborted = [
      { producerId: 9n, firstOffset: 4 },
      { producerId: 7n, firstOffset: 2 },
    ];
    for (const [index, from] of starts.entries()) {
      const open = aborted.filter(({ producerId }) => from <= (producerId === 7n ? 8 : 11));
      expect(
        numbersOf(await unpack(Buffer.concat(parts.slice(index)), { from, aborted: open })),
        `from ${from}`,
      ).toEqual(seen.filter((offset) => offset >= from));
    }
  });

  test('what is packed small is handed over in parts', async () => {
    const value = Buffer.alloc(400_000, 'x');
    const batches = [0, 1, 2, 3, 4, 5].map((base) =>
      batchBytes({ base, records: [{ at: 0, value }], attributes: GZIP }),
    );
    const unpacking = new Unpacking(
      { topic: 't', partition: 0, bytes: Buffer.concat(batches), aborted: [] },
      0,
      END,
    );
    const sizes: number[] = [];
    while (!unpacking.done) sizes.push((await unpacking.next(1_000_000)).length);
    expect(sizes).toEqual([3, 3]);
  });

  test('a batch of very many small records does not overflow', async () => {
    expect((await unpack(counted(0, 300_000, { attributes: GZIP }))).length).toBe(300_000);
  });

  describe('damage is named with the offsets it is at', () => {
    const whole = counted(40, 3);
    const damaged = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(whole);
      change(bytes);
      return bytes;
    };
    test.each([
      ['a record longer than the batch', damaged((bytes) => bytes.writeUInt8(0xfe, 61))],
      ['a record shorter than its parts', damaged((bytes) => bytes.writeUInt8(0x02, 61))],
      ['more records than there are', damaged((bytes) => bytes.writeInt32BE(4, 57))],
      ['bytes that are not compressed', damaged((bytes) => bytes.writeUInt16BE(GZIP, 21))],
      ['a compression nobody knows', damaged((bytes) => bytes.writeUInt16BE(7, 21))],
    ])('%s', async (_, bytes) => {
      const error = await unpack(Buffer.concat([counted(0, 1), bytes])).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'FatalError', code: 'damaged-batch' });
      expect(String(error)).toMatch(/records 40 to 42 of t\/3 .* read from 43 on/);
    });
  });
});
