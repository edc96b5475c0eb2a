import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import type { LogReader, SourceRecord, Stretch, StretchCursor } from '../../src/pipeline/ports.ts';
import { freshTopic, numbersOf } from '../kafka/collector.ts';

/** A log under test: how to fill it, and readers of it. */
export interface ReadableLog {
  create(topic: string, partitions: number): Promise<void>;
  /** Appends the numbers as values to one partition, all dated `timestamp`. */
  write(topic: string, partition: number, values: readonly number[], timestamp: number): Promise<void>;
  reader(): LogReader;
  close(): Promise<void>;
}

/** An hour ago: brokers refuse what is dated in the future, and retention takes what is old. */
const DATED = Date.now() - 3_600_000;
const NEVER = Number.MAX_SAFE_INTEGER;

export const count = (from: number, until: number): number[] =>
  Array.from({ length: Math.max(0, until - from) }, (_, n) => from + n);

/** All that is left of a cursor. */
export async function drain(cursor: StretchCursor | undefined): Promise<SourceRecord[]> {
  const all: SourceRecord[] = [];
  for (let records = await cursor?.next(); records !== undefined; records = await cursor?.next()) {
    expect(records.length).toBeGreaterThan(0);
    all.push(...records);
  }
  return all;
}

/** At least `wanted` records of a cursor that may have no end. */
export async function take(cursor: StretchCursor | undefined, wanted: number): Promise<SourceRecord[]> {
  const all: SourceRecord[] = [];
  while (all.length < wanted) all.push(...((await cursor?.next()) ?? []));
  return all;
}

/** What every reader of a log must do, whoever keeps the log. */
export function readerConformance(name: string, open: () => Promise<ReadableLog>): void {
  describe(`reader of ${name}`, () => {
    let log: ReadableLog;
    let reader: LogReader;
    beforeAll(async () => {
      log = await open();
      reader = log.reader();
    });
    afterAll(async () => {
      await reader?.close();
      await log?.close();
    });

    /** Partition p holds p·1000, p·1000 + 1, … */
    const filled = async (...sizes: number[]): Promise<string> => {
      const topic = freshTopic('stretches');
      await log.create(topic, sizes.length);
      for (const [partition, size] of sizes.entries()) {
        await log.write(topic, partition, count(partition * 1000, partition * 1000 + size), DATED);
      }
      return topic;
    };
    const readAll = async (stretches: Stretch[]): Promise<number[][]> => {
      const reading = await reader.read(stretches);
      const all = await Promise.all(reading.cursors.map(drain));
      await reading.close();
      return all.map(numbersOf);
    };

    test('ranges: in the order asked, then by partition; an empty one is empty', async () => {
      const one = await filled(3, 0, 5);
      const other = await filled(2);
      expect(await reader.ranges([other, one])).toEqual([
        { topic: other, partition: 0, low: 0, high: 2 },
        { topic: one, partition: 0, low: 0, high: 3 },
        { topic: one, partition: 1, low: 0, high: 0 },
        { topic: one, partition: 2, low: 0, high: 5 },
      ]);
      expect(await reader.ranges([])).toEqual([]);
    });

    test('missing topics are named, all of them', async () => {
      const there = await filled(1);
      const missing = [freshTopic('missing'), freshTopic('missing')];
      for (const ask of [
        () => reader.ranges([there, ...missing]),
        () => reader.offsetsAt([there, ...missing], 0),
      ]) {
        const error = await ask().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(FatalError);
        expect(error).toMatchObject({ code: 'topics-missing' });
        for (const topic of missing) expect(String(error)).toContain(topic);
        expect(String(error)).not.toContain(there);
      }
    });

    test('a cursor gives its stretch: from the first, without the last, once each, with all a record has', async () => {
      const topic = await filled(300, 300, 300);
      const stretches = [
        { topic, partition: 2, from: 17, until: 211 },
        { topic, partition: 0, from: 0, until: 300 },
        { topic, partition: 1, from: 299, until: 300 },
      ];
      const reading = await reader.read(stretches);
      expect(reading.cursors.map(({ stretch }) => stretch)).toEqual(stretches);
      const records = await Promise.all(reading.cursors.map(drain));
      await reading.close();
      expect(records.map(numbersOf)).toEqual([count(2017, 2211), count(0, 300), [1299]]);
      expect(records[0]?.map(({ offset }) => offset)).toEqual(count(17, 211));
      expect(records[2]?.[0]).toMatchObject({ topic, partition: 1, offset: 299, timestamp: DATED });
    });

    test('an empty stretch ends at once, again and again, and does not hold up others', async () => {
      const topic = await filled(3, 0);
      const reading = await reader.read([
        { topic, partition: 1, from: 0, until: 0 },
        { topic, partition: 0, from: 2, until: 2 },
        { topic, partition: 0, from: 3, until: 3 },
        { topic, partition: 0, from: 0, until: 3 },
      ]);
      for (const cursor of [...reading.cursors.slice(0, 3), ...reading.cursors.slice(0, 3)]) {
        expect(await cursor.next()).toBeUndefined();
      }
      expect(numbersOf(await drain(reading.cursors[3]))).toEqual([0, 1, 2]);
      expect(await reading.cursors[3]?.next()).toBeUndefined();
      await reading.close();
    });

    test('one cursor may be asked alone, the others later', async () => {
      const topic = await filled(...Array.from({ length: 20 }, () => 50));
      const reading = await reader.read(
        count(0, 20).map((partition) => ({ topic, partition, from: 0, until: 50 })),
      );
      for (const partition of [13, 0, 19]) {
        expect(numbersOf(await drain(reading.cursors[partition]))).toEqual(
          count(partition * 1000, partition * 1000 + 50),
        );
      }
      const rest = [];
      for (const cursor of reading.cursors) rest.push(...(await drain(cursor)));
      expect(rest.length).toBe(17 * 50);
      await reading.close();
    });

    test('a stretch that reaches beyond the end waits for what is written', async () => {
      const topic = await filled(4, 0);
      const reading = await reader.read([
        { topic, partition: 0, from: 3, until: NEVER },
        { topic, partition: 1, from: 0, until: 5 },
      ]);
      expect(numbersOf(await take(reading.cursors[0], 1))).toEqual([3]);
      const late = take(reading.cursors[0], 3);
      const ending = drain(reading.cursors[1]);
      await log.write(topic, 0, [4, 5, 6], DATED);
      await log.write(topic, 1, [0, 1, 2], DATED);
      expect(numbersOf(await late)).toEqual([4, 5, 6]);
      await log.write(topic, 1, [3, 4, 5], DATED);
      expect(numbersOf(await ending)).toEqual([0, 1, 2, 3, 4]);
      await reading.close();
    });

    test('who waits when a reading is closed hears so; another reading goes on', async () => {
      const topic = await filled(2);
      const stretch = { topic, partition: 0, from: 2, until: NEVER };
      const closing = await reader.read([stretch]);
      const staying = await reader.read([stretch]);
      const error = closing.cursors[0]?.next().catch((thrown: unknown) => thrown);
      const later = take(staying.cursors[0], 1);
      await closing.close();
      await closing.close();
      expect(await error).toBeInstanceOf(RetryableError);
      expect(await error).toMatchObject({ code: 'stopped' });
      await expect(closing.cursors[0]?.next()).rejects.toMatchObject({ code: 'stopped' });
      await log.write(topic, 0, [2], DATED);
      expect(numbersOf(await later)).toEqual([2]);
      await staying.close();
    });

    test('closing the reader ends what it reads', async () => {
      const topic = await filled(2);
      const own = log.reader();
      const reading = await own.read([{ topic, partition: 0, from: 2, until: NEVER }]);
      const error = reading.cursors[0]?.next().catch((thrown: unknown) => thrown);
      await own.close();
      await own.close();
      expect(await error).toMatchObject({ code: 'stopped' });
    });

    test('the same stretch read twice at once comes whole to both', async () => {
      const topic = await filled(200);
      const stretch = { topic, partition: 0, from: 50, until: 150 };
      expect(await readAll([stretch, stretch])).toEqual([count(50, 150), count(50, 150)]);
    });

    test('a stretch outside of what the log holds is refused with both', async () => {
      const topic = await filled(5, 5);
      const reading = await reader.read([
        { topic, partition: 1, from: 6, until: 9 },
        { topic, partition: 7, from: 0, until: 9 },
        { topic, partition: 0, from: 0, until: 5 },
      ]);
      const error = await reading.cursors[0]?.next().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(FatalError);
      expect(error).toMatchObject({ code: 'offset-out-of-range' });
      expect(String(error)).toContain(`offset 6 of ${topic}/1`);
      expect(String(error)).toContain('holds 0 to 5');
      await expect(reading.cursors[1]?.next()).rejects.toMatchObject({ code: 'partition-missing' });
      expect(numbersOf(await drain(reading.cursors[2]))).toEqual([0, 1, 2, 3, 4]);
      await reading.close();
    });

    test('a topic that is not there is named by its cursor', async () => {
      const topic = freshTopic('nowhere');
      const reading = await reader.read([{ topic, partition: 0, from: 0, until: 1 }]);
      await expect(reading.cursors[0]?.next()).rejects.toMatchObject({ code: 'topics-missing' });
      await reading.close();
    });

    test('offsets at a time: the first as late or later, else the end', async () => {
      const topic = freshTopic('times');
      await log.create(topic, 3);
      await log.write(topic, 0, [1, 2, 3], DATED);
      await log.write(topic, 0, [4, 5], DATED + 1000);
      await log.write(topic, 1, [1], DATED + 500);
      const at = async (timeMs: number) => (await reader.offsetsAt([topic], timeMs))[topic];
      expect(await at(DATED)).toEqual({ 0: 0, 1: 0, 2: 0 });
      expect(await at(DATED + 1)).toEqual({ 0: 3, 1: 0, 2: 0 });
      expect(await at(DATED + 501)).toEqual({ 0: 3, 1: 1, 2: 0 });
      expect(await at(DATED + 1001)).toEqual({ 0: 5, 1: 1, 2: 0 });
    });
  });
}
