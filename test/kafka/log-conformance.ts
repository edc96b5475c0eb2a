import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Log } from '../../src/adapters/connect.ts';
import { FatalError, RetryableError } from '../../src/errors/errors.ts';
import type { Source } from '../../src/pipeline/ports.ts';
import { applyTopics, planTopics } from '../../src/pipeline/topic-plan.ts';
import { Collector, disorder, freshTopic, numbered, numbersOf, until } from './collector.ts';

const PARTITIONS = 3;

/** What every log of topics must do, whoever keeps it. */
export function logConformance(name: string, open: () => Promise<Log>): void {
  describe(name, () => {
    let log: Log;
    beforeAll(async () => {
      log = await open();
    });
    afterAll(async () => log?.close());

    const topicWith = async (count: number): Promise<string> => {
      const topic = freshTopic('conformance');
      await log.admin().create([{ name: topic, partitions: PARTITIONS, configs: {} }]);
      const sink = log.sink();
      await sink.publish(numbered(topic, count, 50));
      await sink.stop();
      return topic;
    };
    const source = (topic: string): Source => log.source({ groupId: `group-${topic}`, topics: [topic] });

    test('5,000 records come back once each, in order within a key', async () => {
      const before = Date.now();
      const topic = await topicWith(5000);
      const reader = new Collector();
      const reading = source(topic);
      expect(Object.values((await reading.ends())[topic] ?? {}).reduce((a, b) => a + b)).toBe(5000);
      await reading.start(reader);
      await until('5,000 records', () => reader.records.length >= 5000);
      await reading.stop();
      expect(numbersOf(reader.records).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 5000 }, (_, n) => n),
      );
      expect(disorder(reader.records)).toEqual([]);
      expect(new Set(reader.records.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
      for (const { topic: from, key, headers, value, timestamp } of reader.records) {
        expect(from).toBe(topic);
        expect(String(key)).toBe(`k${Number(value) % 50}`);
        expect(String(headers?.['n'])).toBe(String(value));
        expect(timestamp).toBeGreaterThanOrEqual(before);
        expect(timestamp).toBeLessThanOrEqual(Date.now());
      }
    });

    test('keys go where the Java client puts them; nulls and bytes survive', async () => {
      const topic = freshTopic('keys');
      await log.admin().create([{ name: topic, partitions: PARTITIONS, configs: {} }]);
      const sink = log.sink();
      // murmur2 from Kafka's own UtilsTest; the partition is (hash & 0x7fffffff) % 3.
      const hashes = { '21': -973932308, foobar: -790332482, 'a-little-bit-long-string': -985981536 };
      await sink.publish([
        ...Object.keys(hashes).map((key) => ({
          topic,
          key,
          value: new Uint8Array([0, 255, 128]),
          headers: {},
        })),
        { topic, key: Buffer.from([1, 0, 255]), value: null, headers: { bin: Buffer.from([255, 0]) } },
        { topic, key: null, value: Buffer.alloc(0), headers: {} },
      ]);
      await sink.stop();
      const reader = new Collector();
      const reading = source(topic);
      await reading.start(reader);
      await until('5 records', () => reader.records.length >= 5);
      await reading.stop();
      for (const [key, hash] of Object.entries(hashes)) {
        const found = reader.records.find((record) => String(record.key) === key);
        expect(found?.partition).toBe((hash & 0x7fffffff) % PARTITIONS);
        expect([...(found?.value ?? [])]).toEqual([0, 255, 128]);
        expect(found?.headers).toBeUndefined();
      }
      const tombstone = reader.records.find(({ value }) => value === null);
      expect([...(tombstone?.key ?? [])]).toEqual([1, 0, 255]);
      expect([...(tombstone?.headers?.['bin'] ?? [])]).toEqual([255, 0]);
      const keyless = reader.records.find(({ key }) => key === null);
      expect(keyless?.value?.length).toBe(0);
    });

    test('each of five restarts goes on exactly where the last one stood', async () => {
      const topic = await topicWith(3000);
      const positions = new Map<string, number>();
      const all = [];
      for (let run = 0; run < 5; run++) {
        const reader = new Collector(positions);
        // Stops in the middle of a batch, three times out of five with room for nothing more.
        reader.room = () => reader.records.length < 550 || run > 2;
        const reading = source(topic);
        await reading.start(reader);
        await until(
          'some records',
          () => reader.records.length > 0 && (run < 3 || all.length + reader.records.length >= 3000),
        );
        await reading.stop();
        all.push(...reader.records);
        if (all.length >= 3000) {
          break;
        }
      }
      expect(all.length).toBe(3000);
      expect(disorder(all)).toEqual([]);
      expect(new Set(numbersOf(all)).size).toBe(3000);
    });

    test('a reader that knows another position than the log is believed', async () => {
      const topic = await topicWith(300);
      const positions = new Map([0, 1, 2].map((partition) => [`${topic}/${partition}`, 10 + partition]));
      const reader = new Collector(positions);
      const reading = source(topic);
      await reading.start(reader);
      await until('the rest', () => reader.records.length >= 300 - 33);
      await reading.commit({ [topic]: { 0: 1, 1: 1, 2: 1 } });
      await reading.stop();
      for (const partition of [0, 1, 2]) {
        const offsets = reader.records.filter((r) => r.partition === partition).map(({ offset }) => offset);
        expect(offsets[0]).toBe(10 + partition);
        expect(offsets).toEqual(offsets.map((_, index) => 10 + partition + index));
      }
    });

    test('without room nothing is handed over; with room again nothing is missing or twice', async () => {
      const topic = await topicWith(4000);
      const reader = new Collector();
      reader.room = () => false;
      const reading = source(topic);
      await reading.start(reader);
      for (let handed = 1; reader.records.length < 4000; handed++) {
        await until('the next chunk', () => reader.handed >= handed);
        await new Promise((resolve) => setTimeout(resolve, 60));
        expect(reader.handed).toBe(handed);
        if (reader.records.length < 4000) {
          reading.resume();
        }
      }
      await reading.stop();
      expect(disorder(reader.records)).toEqual([]);
      expect(new Set(numbersOf(reader.records)).size).toBe(4000);
    });

    test('records that arrive later are seen; after stop none is', async () => {
      const topic = await topicWith(10);
      const reader = new Collector();
      const reading = source(topic);
      const sink = log.sink();
      await reading.start(reader);
      await until('the first', () => reader.records.length === 10);
      await sink.publish(numbered(topic, 10, 50, 10));
      await until('the later', () => reader.records.length === 20);
      await reading.stop();
      await reading.stop();
      await sink.publish(numbered(topic, 10, 50, 20));
      await sink.stop();
      await sink.stop();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(reader.records.length).toBe(20);
      expect(reader.errors).toEqual([]);
    });

    test('publishes made at once keep their order within a key', async () => {
      const topic = freshTopic('order');
      await log.admin().create([{ name: topic, partitions: PARTITIONS, configs: {} }]);
      const sink = log.sink();
      await Promise.all(Array.from({ length: 20 }, (_, n) => sink.publish(numbered(topic, 50, 7, n * 50))));
      await sink.stop();
      const reader = new Collector();
      const reading = source(topic);
      await reading.start(reader);
      await until('1,000 records', () => reader.records.length >= 1000);
      await reading.stop();
      expect(disorder(reader.records)).toEqual([]);
    });

    test('a position beyond the end of the log is refused with the range', async () => {
      const topic = await topicWith(30);
      const reader = new Collector(new Map([[`${topic}/1`, 99999]]));
      const started = source(topic);
      const failure = await started.start(reader).catch((error: unknown) => error);
      await started.stop();
      expect(failure).toBeInstanceOf(FatalError);
      expect(failure).toMatchObject({ code: 'offset-out-of-range' });
      expect(String(failure)).toMatch(
        new RegExp(`99999 of ${topic}/1 .* 0 to \\d+; .*deleted and made again`),
      );
      expect(reader.records).toEqual([]);
    });

    test('missing topics are named, to read and to write', async () => {
      const topic = await topicWith(1);
      const reading = log.source({ groupId: 'missing', topics: [topic, 'absent-a', 'absent-b'] });
      const failure = await reading.start(new Collector()).catch((error: unknown) => error);
      await reading.stop();
      expect(failure).toMatchObject({ code: 'topics-missing' });
      expect(failure).toBeInstanceOf(FatalError);
      expect(String(failure)).toContain('absent-a, absent-b; create them with: twhin topics apply');
      const sink = log.sink();
      const refused = await sink.publish(numbered('absent-c', 1, 1)).catch((error: unknown) => error);
      await sink.stop();
      expect(refused).toBeInstanceOf(RetryableError);
      expect(refused).toMatchObject({ code: 'topic-missing' });
    });

    test('topics: planned, applied, and then there is nothing left to do', async () => {
      const admin = log.admin();
      const [a, b] = [freshTopic('plan-a'), freshTopic('plan-b')];
      await admin.create([{ name: b, partitions: 1, configs: { 'retention.ms': '1000000' } }]);
      const declared = [
        { name: a, partitions: 2, configs: { 'cleanup.policy': 'compact' } },
        { name: b, partitions: 4, configs: { 'cleanup.policy': 'compact' } },
      ];
      const state = () => admin.describe([a, b]);
      const plan = planTopics(declared, await state());
      expect(plan.map(({ kind }) => kind)).toEqual(['create', 'add-partitions', 'alter-configs']);
      await applyTopics(admin, plan);
      await applyTopics(admin, plan.slice(0, 1));
      const after = await state();
      expect(planTopics(declared, after)).toEqual([]);
      expect(after.map(({ partitions }) => partitions)).toEqual([2, 4]);
      expect(after.map(({ configs }) => configs['cleanup.policy'])).toEqual(['compact', 'compact']);
      // What someone else had set is still there.
      expect(after[1]?.configs['retention.ms']).toBe('1000000');
      const fewer = declared.map((topic) => ({ ...topic, partitions: 1 }));
      expect(planTopics(fewer, after).map(({ kind }) => kind)).toEqual(['keep', 'keep']);
    });
  });
}
