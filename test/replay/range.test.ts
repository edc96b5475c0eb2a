import { describe, expect, test } from 'vitest';
import { type FatalError, UsageError } from '../../src/errors/errors.ts';
import type { EventLog } from '../../src/pipeline/ports.ts';
import type { Bound } from '../../src/replay/bound.ts';
import { leftOf, type Range, resolveRange } from '../../src/replay/range.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { type MemoryReaderOptions, memoryReader } from '../pipeline/memory-reader.ts';

const TOPIC = 'twhin.follow';
const EARLIEST: Bound = { kind: 'earliest' };
const LATEST: Bound = { kind: 'latest' };
const at = (second: number): Bound => ({ kind: 'time', timeMs: second * 1000 });
const offsets = (partitions: Record<number, number>): Bound => ({
  kind: 'offsets',
  offsets: { [TOPIC]: partitions },
});

/** Partition 0 has records of the seconds 10 to 19, partition 1 of 15 to 19. */
function filled(): MemoryLog {
  const log = new MemoryLog();
  for (let second = 10; second < 20; second++)
    log.append(TOPIC, {}, { partition: 0, timestamp: second * 1000 });
  for (let second = 15; second < 20; second++)
    log.append(TOPIC, {}, { partition: 1, timestamp: second * 1000 });
  return log;
}

async function resolved(from: Bound, until: Bound, options: MemoryReaderOptions = {}): Promise<Range> {
  return resolveRange(memoryReader(filled(), options), [TOPIC], from, until);
}

/** Offsets of partitions 0 and 1, such as `0-10 0-5`. */
async function stretches(from: Bound, until: Bound, options: MemoryReaderOptions = {}): Promise<string> {
  const range = await resolved(from, until, options);
  return range.stretches.map((stretch) => `${stretch.from}-${stretch.until}`).join(' ');
}

async function problems(from: Bound, until: Bound, options: MemoryReaderOptions = {}): Promise<string[]> {
  try {
    await resolved(from, until, options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message.split('\n').slice(1);
  }
  throw new Error('it was not refused');
}

describe('a range as offsets', () => {
  test('by the time the log has: from the first record then or later, up to and without the first of the end', async () => {
    expect(await stretches(at(16), at(18))).toBe('6-8 1-3');
    expect(await stretches(at(1), at(16))).toBe('0-6 0-1');
    expect(await stretches(at(12), at(99))).toBe('2-10 0-5');
  });

  test('by offset; partitions not named are whole', async () => {
    expect(await stretches(offsets({ 0: 3 }), offsets({ 1: 2 }))).toBe('3-10 0-2');
    expect(await stretches(offsets({ 0: 10 }), LATEST)).toBe('10-10 0-5');
  });

  test.each<
    [what: string, from: Bound, lows: [number, number], stretches: string, shortened: [number, number][]]
  >([
    ['where all there is was asked for', EARLIEST, [0, 2], '0-10 2-5', [[1, 2]]],
    ['not where a later time was asked for', at(18), [0, 2], '8-10 3-5', []],
    ['of partitions that offsets do not name', offsets({ 0: 4 }), [4, 2], '4-10 2-5', [[1, 2]]],
    ['of a partition that is empty now, whatever time was asked for', at(13), [0, 5], '3-10 5-5', [[1, 5]]],
  ])('what retention took is said %s', async (_, from, [low0, low1], wanted, shortened) => {
    const lows = { [`${TOPIC}/0`]: low0, [`${TOPIC}/1`]: low1 };
    expect(await stretches(from, LATEST, { lows })).toBe(wanted);
    const range = await resolved(from, LATEST, { lows });
    expect(range.shortened.map(({ partition, low }) => [partition, low])).toEqual(shortened);
  });

  test('a back-dated record that comes while the start is looked for is no reason to refuse', async () => {
    const log = filled();
    log.append(TOPIC, {}, { partition: 0, timestamp: 20_000 });
    const reader = memoryReader(log);
    const late: EventLog = {
      ...reader,
      offsetsAt: async (topics, timeMs) => {
        log.append(TOPIC, {}, { partition: 1, timestamp: 11_000 });
        return reader.offsetsAt(topics, timeMs);
      },
    };
    const range = await resolveRange(late, [TOPIC], at(20), LATEST);
    expect(range.stretches[1]).toEqual({ topic: TOPIC, partition: 1, from: 6, until: 6 });
  });
});

describe('a range that is refused', () => {
  const lows = { [`${TOPIC}/0`]: 4 };

  test('an offset that the log no longer holds, with the earliest offset and time there are', async () => {
    expect(await problems(offsets({ 0: 3 }), LATEST, { lows })).toEqual([
      '  --from: twhin.follow/0 starts at offset 4, of 1970-01-01T00:00:14.000Z: older records are gone; seen offset 3',
    ]);
    expect(await stretches(offsets({ 0: 4 }), LATEST, { lows })).toBe('4-10 0-5');
  });

  test('a time before the first record that retention left, but not one before a log that lost none', async () => {
    expect(await problems(at(13), LATEST, { lows })).toEqual([
      '  --from: twhin.follow/0 starts at offset 4, of 1970-01-01T00:00:14.000Z: older records are gone; seen 1970-01-01T00:00:13.000Z',
    ]);
    expect(await stretches(at(14), LATEST, { lows })).toBe('4-10 0-5');
    expect(await stretches(at(13), LATEST)).toBe('3-10 0-5');
  });

  test('all that is wrong at once', async () => {
    expect(await problems(offsets({ 0: 11, 1: 4, 7: 1 }), offsets({ 0: 12, 1: 3 }))).toEqual([
      '  --from: twhin.follow has 2 partitions, 0 to 1; seen 7',
      '  --from: twhin.follow/0 ends at offset 10, seen 11',
      '  --until: twhin.follow/0 ends at offset 10, seen 12',
      '  --until: twhin.follow/1 would end at offset 3, before its start 4',
    ]);
  });

  test('nothing to read', async () => {
    expect(await problems(at(50), LATEST)).toEqual(['  --from, --until: there is no record in that range']);
  });
});

describe('what is left to read', () => {
  const STRETCHES = [
    { topic: 'follow', partition: 0, from: 10, until: 90 },
    { topic: 'follow', partition: 1, from: 0, until: 0 },
  ];
  /** From a log that holds these offsets of partition 0. */
  const left = async (next: number | undefined, held: [low: number, high: number] = [0, 100], id = 'A') => {
    const ranges = [
      { topic: 'follow', partition: 0, low: held[0], high: held[1] },
      { topic: 'follow', partition: 1, low: 0, high: 3 },
    ];
    const read = {
      positions: next === undefined ? {} : { follow: { 0: { offset: next } } },
      topicIds: { follow: 'A' },
    };
    const reader = { ranges: async () => ranges, topicIds: async () => (id === '' ? {} : { follow: id }) };
    return await leftOf(STRETCHES, read, reader, 'Start from scratch.').catch((error: FatalError) => error);
  };

  test('is counted where the log still holds it', async () => {
    expect(await left(undefined)).toBe(80);
    expect(await left(undefined, [10, 90])).toBe(80);
    expect(await left(50, [50, 90])).toBe(40);
    // Read to its end: nobody misses what went since.
    expect(await left(90, [95, 95])).toBe(0);
    // A log that gives its topics no ids.
    expect(await left(undefined, [0, 100], '')).toBe(80);
  });

  test.each([
    [
      49,
      [50, 100],
      'A',
      'offset-out-of-range',
      /offset 49, .* up to 90, but the log holds 50 to 100: .* Start from scratch\./,
    ],
    [undefined, [0, 89], 'A', 'offset-out-of-range', /but the log holds 0 to 89/],
    [91, [0, 90], 'A', 'offset-out-of-range', /offset 91, .* the log\. Start from scratch\./],
    [undefined, [0, 100], 'B', 'topic-remade', /its id was A and is B.*Start from scratch\.$/],
  ] as const)(
    'is refused from offset %s of a log of %j with id %s',
    async (next, held, id, code, message) => {
      expect(await left(next, [...held], id)).toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    },
  );
});
