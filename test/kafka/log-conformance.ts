import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogConnection } from '../../src/adapters/connect.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import type { EventLog } from '../../src/pipeline/ports.ts';
import { applyTopics, planTopics } from '../../src/pipeline/topic-plan.ts';
import { Collector, disorder, freshTopic, numbered, numbersOf, until } from './collector.ts';

const PARTITIONS = 3;

/** The tests that every kind of log, with its sink and admin, must pass. */
export function logConformance(name: string, open: () => Promise<LogConnection>): void {
  describe(name, () => {
    let log: LogConnection;
    beforeAll(async () => {
      log = await open();
    });
    afterAll(async () => log?.close());

    /** Follows a topic until the wanted number of records is there, and closes. */
    const collected = async (topic: string, records: number): Promise<Collector> => {
      const collector = new Collector();
      const reading: EventLog = log.log();
      await reading.follow([topic], collector);
      await until(`${records} records`, () => collector.records.length >= records);
      await reading.close();
      return collector;
    };

    test('5,000 records of concurrent publishes come back once each, in order within a key', async () => {
      const before = Date.now();
      const topic = freshTopic('conformance');
      await log.admin().create([{ name: topic, partitions: PARTITIONS, configs: {} }]);
      const sink = log.sink();
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => sink.publish(numbered(topic, 250, 50, n * 250))),
      );
      await sink.stop();
      const reader = await collected(topic, 5000);
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

    test('keys go to the partitions that the Java client chooses; nulls and bytes are kept', async () => {
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
      const reader = await collected(topic, 5);
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

    test('the error of a send names the missing topic', async () => {
      const sink = log.sink();
      const refused = await sink.publish(numbered('absent-c', 1, 1)).catch((error: unknown) => error);
      await sink.stop();
      expect(refused).toBeInstanceOf(RetryableError);
      expect(refused).toMatchObject({ code: 'topic-missing' });
    });

    test('after a plan of topics is applied, the next plan changes nothing, and no partition was added', async () => {
      const admin = log.admin();
      const [a, b] = [freshTopic('plan-a'), freshTopic('plan-b')];
      await admin.create([{ name: b, partitions: 1, configs: { 'retention.ms': '1000000' } }]);
      const declared = [
        { name: a, role: 'written' as const, partitions: 2, configs: { 'cleanup.policy': 'compact' } },
        { name: b, role: 'written' as const, partitions: 4, configs: { 'cleanup.policy': 'compact' } },
      ];
      const state = () => admin.describe([a, b]);
      const plan = planTopics(declared, await state());
      expect(plan.map(({ kind }) => kind)).toEqual(['create', 'keep', 'alter-configs']);
      await applyTopics(admin, plan);
      await applyTopics(admin, plan.slice(0, 1));
      // A broker takes a change a moment before it tells of it.
      let after = await state();
      await until('the next plan changes nothing', async () => {
        after = await state();
        return planTopics(declared, after).every(({ kind }) => kind === 'keep');
      });
      expect(after.map(({ partitions }) => partitions)).toEqual([2, 1]);
      expect(after.map(({ configs }) => configs['cleanup.policy'])).toEqual(['compact', 'compact']);
      // A setting that someone else made is kept.
      expect(after[1]?.configs['retention.ms']).toBe('1000000');
    });
  });
}
