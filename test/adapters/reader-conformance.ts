import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import type { EventLog, SourceRecord, Stretch, StretchCursor } from '../../src/pipeline/ports.ts';
import { Collector, freshTopic, numbersOf, until } from '../kafka/collector.ts';

/** A log under test: how to fill it, and how it is opened for reading. */
export interface ReadableLog {
  create(topic: string, partitions: number): Promise<void>;
  addPartitions(topic: string, partitions: number): Promise<void>;
  /** Appends the numbers as values to one partition, all dated `timestamp`. */
  write(topic: string, partition: number, values: readonly number[], timestamp: number): Promise<void>;
  log(): EventLog;
  close(): Promise<void>;
}

/** An hour ago: brokers refuse records of the future, and retention removes old ones. */
const DATED = Date.now() - 3_600_000;
const NEVER = Number.MAX_SAFE_INTEGER;

export const count = (from: number, until: number): number[] =>
  Array.from({ length: Math.max(0, until - from) }, (_, n) => from + n);

/** Values of a filled partition, by offset: partition p holds p·10,000, p·10,000 + 1, … */
const valuesOf = (partition: number, from: number, until: number) =>
  count(partition * 10_000 + from, partition * 10_000 + until);

/** A new topic whose partitions have so many records. */
async function filledIn(log: ReadableLog, sizes: readonly number[]): Promise<string> {
  const topic = freshTopic('filled');
  await log.create(topic, sizes.length);
  for (const [partition, size] of sizes.entries())
    await log.write(topic, partition, valuesOf(partition, 0, size), DATED);
  return topic;
}

/** All remaining records of a cursor. */
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

/** The tests that every `EventLog` must pass. */
export function readerConformance(name: string, open: () => Promise<ReadableLog>): void {
  stretchConformance(name, open);
  followConformance(name, open);
}

function stretchConformance(name: string, open: () => Promise<ReadableLog>): void {
  describe(`reader of ${name}`, () => {
    let log: ReadableLog;
    let reader: EventLog;
    beforeAll(async () => {
      log = await open();
      reader = log.log();
    });
    afterAll(async () => {
      await reader?.close();
      await log?.close();
    });

    const filled = (...sizes: number[]) => filledIn(log, sizes);
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
        () => reader.follow([there, ...missing], new Collector()),
      ]) {
        const error = await ask().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(FatalError);
        expect(error).toMatchObject({ code: 'topics-missing' });
        for (const topic of missing) expect(String(error)).toContain(topic);
        expect(String(error)).not.toContain(there);
      }
    });

    test('a cursor gives its stretch: the first offset but not the last, each record once and whole', async () => {
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
      expect(records.map(numbersOf)).toEqual([valuesOf(2, 17, 211), count(0, 300), [10_299]]);
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

    test('one cursor may be read alone, and the others later', async () => {
      const topic = await filled(...Array.from({ length: 20 }, () => 50));
      const reading = await reader.read(
        count(0, 20).map((partition) => ({ topic, partition, from: 0, until: 50 })),
      );
      for (const partition of [13, 0, 19]) {
        expect(numbersOf(await drain(reading.cursors[partition]))).toEqual(valuesOf(partition, 0, 50));
      }
      const rest = [];
      for (const cursor of reading.cursors) rest.push(...(await drain(cursor)));
      expect(rest.length).toBe(17 * 50);
      await reading.close();
    });

    test('a stretch that reaches beyond the end waits for further records', async () => {
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

    test('a call that waits when a reading is closed fails with `stopped`; another reading goes on', async () => {
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

    test('closing the log ends its readings', async () => {
      const topic = await filled(2);
      const own = log.log();
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

    test('a stretch outside of the log is refused with the stretch and the range of the log', async () => {
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

    test('the offset of a time is the first record of that time or later, else the end', async () => {
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

function followConformance(name: string, open: () => Promise<ReadableLog>): void {
  describe(`following ${name}`, () => {
    let kept: ReadableLog;
    beforeAll(async () => {
      kept = await open();
    });
    afterAll(() => kept?.close());
    const opened: EventLog[] = [];
    afterEach(async () => {
      for (const log of opened.splice(0)) await log.close();
    });
    const own = (): EventLog => {
      const log = kept.log();
      opened.push(log);
      return log;
    };

    const filled = (...sizes: number[]) => filledIn(kept, sizes);
    const of = (collector: Collector, partition: number) =>
      numbersOf(collector.records.filter((record) => record.partition === partition));

    test('every record comes once and whole, in order within its partition', async () => {
      const topics = [await filled(300, 0, 40), await filled(7)];
      const collector = new Collector();
      await own().follow(topics, collector);
      await until('all records', () => collector.records.length >= 347);
      // A repeated record comes before the last one of its partition.
      const sizes = [
        [topics[0]!, 0, 300],
        [topics[0]!, 1, 0],
        [topics[0]!, 2, 40],
        [topics[1]!, 0, 7],
      ] as const;
      for (const [topic, partition, size] of sizes)
        await kept.write(topic, partition, valuesOf(partition, size, size + 1), DATED);
      const at = ([topic, partition]: (typeof sizes)[number]) =>
        collector.position(topic, partition)?.offset ?? 0;
      await until('the last of each partition', () => sizes.every((one) => at(one) > one[2]));
      for (const [topic, partition, size] of sizes) {
        const here = collector.records.filter((each) => each.topic === topic && each.partition === partition);
        expect(numbersOf(here)).toEqual(valuesOf(partition, 0, size + 1));
      }
      const [first] = collector.records.filter(
        ({ topic, partition }) => topic === topics[0] && partition === 2,
      );
      expect(first).toMatchObject({ topic: topics[0], partition: 2, offset: 0, timestamp: DATED });
      expect(String(first?.value)).toBe('20000');
      expect(collector.errors).toEqual([]);
    });

    test('runs have no gaps, and reach the end of the log', async () => {
      const topic = await filled(200, 90);
      const collector = new Collector();
      await own().follow([topic], collector);
      const reached = (partition: number) => collector.position(topic, partition)?.offset;
      await until('both ends', () => reached(0) === 200 && reached(1) === 90);
      const next = new Map<number, number>();
      for (const run of collector.runs) {
        const from = next.get(run.partition) ?? 0;
        const offsets = run.records.map(({ offset }) => offset);
        expect(offsets.every((offset) => from <= offset && offset < run.next)).toBe(true);
        expect(run.records.every((each) => each.topic === topic && each.partition === run.partition)).toBe(
          true,
        );
        expect(run.next).toBeGreaterThanOrEqual(from);
        next.set(run.partition, run.next);
      }
    });

    test('reading begins at the position of the follower, or at the earliest offset where it has none', async () => {
      const topic = await filled(50, 50, 50);
      const collector = new Collector(
        new Map([
          [`${topic}/0`, { offset: 20 }],
          [`${topic}/2`, { offset: 50 }],
        ]),
      );
      await own().follow([topic], collector);
      await until('what is left', () => collector.records.length >= 80);
      await kept.write(topic, 2, [20_050], DATED);
      await until('the new record', () => collector.records.length >= 81);
      expect(of(collector, 0)).toEqual(valuesOf(0, 20, 50));
      expect(of(collector, 1)).toEqual(valuesOf(1, 0, 50));
      expect(of(collector, 2)).toEqual([20_050]);
    });

    test('a partition without room waits, and holds up no other', async () => {
      const topic = await filled(2_000, 2_000);
      const collector = new Collector();
      collector.room = (run) => run.partition !== 0;
      await own().follow([topic], collector);
      await until('all of the other', () => of(collector, 1).length === 2_000);
      await kept.write(topic, 1, [12_000], DATED);
      await until('what came later', () => of(collector, 1).length === 2_001);
      const runs = () => collector.runs.filter(({ partition }) => partition === 0).length;
      expect(runs()).toBe(1);
      for (let n = 2; n < 5 && collector.position(topic, 0)?.offset !== 2_000; n++) {
        collector.resume();
        await until('the next run', () => runs() >= n);
        await kept.write(topic, 1, [12_000 + n], DATED);
        await until('what came after it', () => collector.position(topic, 1)?.offset === 2_000 + n);
        expect(runs()).toBe(n);
      }
      collector.room = () => true;
      collector.resume();
      await until('all of it', () => collector.position(topic, 0)?.offset === 2_000);
      expect(of(collector, 0)).toEqual(count(0, 2_000));
    });

    test('partitions that are added are read from their start, and only those that the follower reads', async () => {
      const topic = await filled(3, 4);
      const collector = new Collector();
      collector.reads = (_, partition) => partition === 0 || partition === 2;
      await own().follow([topic], collector);
      await until('what is there', () => collector.records.length >= 3);
      await kept.addPartitions(topic, 4);
      await kept.write(topic, 3, valuesOf(3, 0, 5), DATED);
      await kept.write(topic, 2, valuesOf(2, 0, 5), DATED);
      await until('what came into the added one', () => of(collector, 2).length >= 5);
      await kept.write(topic, 2, valuesOf(2, 5, 6), DATED);
      await until('what came later', () => of(collector, 2).length >= 6);
      expect(of(collector, 2)).toEqual(valuesOf(2, 0, 6));
      expect(of(collector, 0)).toEqual([0, 1, 2]);
      expect([of(collector, 1), of(collector, 3)]).toEqual([[], []]);
    });

    test('a position beyond the end is refused with the range and what to do', async () => {
      const topic = await filled(5, 5);
      const collector = new Collector(new Map([[`${topic}/1`, { offset: 6 }]]));
      const log = own();
      const error = await log.follow([topic], collector).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(FatalError);
      expect(error).toMatchObject({ code: 'offset-out-of-range' });
      expect(String(error)).toMatch(
        new RegExp(`offset 6 of ${topic}/1 .* 0 to 5; .*lost the end.*--go-on ${topic}.*--reread ${topic}`),
      );
      const other = new Collector();
      await log.follow([topic], other);
      await until('all records of another follower', () => other.records.length === 10);
      expect(collector.runs).toEqual([]);
    });

    test('nothing is handed over after a close, even where a partition waits for room', async () => {
      const topic = await filled(2_000, 3);
      const log = own();
      const [closing, staying] = [new Collector(), new Collector()];
      closing.room = () => false;
      const following = await log.follow([topic], closing);
      await log.follow([topic], staying);
      await until('a run of each', () => new Set(closing.runs.map(({ partition }) => partition)).size === 2);
      const handed = closing.runs.length;
      await following.close();
      await following.close();
      closing.resume();
      await kept.write(topic, 0, [2_000], DATED);
      await kept.write(topic, 1, [10_003], DATED);
      await until(
        'the records that came later',
        () => of(staying, 0).length === 2_001 && of(staying, 1).length === 4,
      );
      expect(closing.runs).toHaveLength(handed);
      expect([...closing.errors, ...staying.errors]).toEqual([]);
    });

    test('closing the log ends its followers', async () => {
      const topic = await filled(1);
      const log = own();
      const collector = new Collector();
      await log.follow([topic], collector);
      await until('the record', () => collector.records.length === 1);
      await log.close();
      await kept.write(topic, 0, [1], DATED);
      const other = new Collector();
      await own().follow([topic], other);
      await until('the later record, by another log', () => other.records.length === 2);
      expect(collector.records).toHaveLength(1);
      expect(collector.errors).toEqual([]);
      await expect(log.follow([topic], new Collector())).rejects.toMatchObject({ code: 'stopped' });
    });
  });
}
