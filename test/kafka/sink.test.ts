import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { findBroker } from '../../broker/find.ts';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaSink } from '../../src/adapters/kafka/producer/sink.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, freshTopic, numbered, numbersOf, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';
import { NO_JARS } from './own-broker.ts';

describe('Kafka sink', () => {
  const { admin } = apart();

  const made = async (numPartitions: number): Promise<string> => {
    const topic = freshTopic('sink');
    await makeTopic(topic, numPartitions);
    return topic;
  };
  const count = async (topic: string): Promise<number> => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };

  test('a resolved publish is in the log, even where it takes several requests', async () => {
    const topic = await made(2);
    const sink = new KafkaSink(settings, {}, quiet);
    const value = new Uint8Array(2000);
    const messages = Array.from({ length: 3000 }, (_, n) => ({ topic, key: `k${n}`, value, headers: {} }));
    await sink.publish(messages);
    expect(await count(topic)).toBe(3000);
    await sink.stop();
    await expect(sink.publish(messages)).rejects.toThrow(RetryableError);
  });

  test('info describes the cluster', async () => {
    const ours = new KafkaAdmin(settings);
    expect(await ours.info()).toEqual({
      kind: 'kafka',
      address: inject('brokers'),
      version: '4.0 or newer',
      nodes: [`1 at ${inject('brokers')}`],
    });
    await ours.close();
  });

  test('two processes that create a topic at the same time both succeed', async () => {
    const both = [new KafkaAdmin(settings), new KafkaAdmin(settings)];
    for (let round = 0; round < 5; round++) {
      const topics = [{ name: freshTopic('raced'), partitions: 1, configs: {} }];
      await Promise.all(both.map((admin) => admin.create(topics)));
    }
    await Promise.all(both.map((admin) => admin.close()));
  });

  test('a deleted topic stops sends to no other topic', async () => {
    const [kept, gone] = [await made(1), await made(1)];
    const sink = new KafkaSink(settings, { giveUpMs: 2000 }, quiet);
    await sink.publish([...numbered(kept, 5, 1), ...numbered(gone, 5, 1)]);
    await admin.deleteTopics({ topics: [gone] });
    // The answer does not say that the broker itself knows.
    await expect.poll(() => admin.listTopics(), { timeout: 30_000 }).not.toContain(gone);
    const results = await Promise.allSettled([
      sink.publish(numbered(gone, 5, 1)),
      sink.publish(numbered(kept, 5, 1)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(results[0]).toMatchObject({ reason: expect.any(RetryableError) });
    expect(await count(kept)).toBe(10);
    await makeTopic(gone, 1);
    await sink.publish(numbered(gone, 5, 1));
    expect(await count(gone)).toBe(5);
    await sink.stop();
  });

  test.skipIf(NO_JARS).each(['gzip', 'snappy', 'lz4', 'zstd'])(
    "what Java's producer wrote with %s is read",
    async (codec) => {
      const { origin } = await findBroker({ jarsOnly: true });
      if (origin?.source !== 'jars' && origin?.source !== 'KAFKA_HOME') {
        throw new Error("this test needs Kafka's own jars");
      }
      expect(existsSync(origin.libs)).toBe(true);
      const topic = await made(1);
      const tool = ['org.apache.kafka.tools.ConsoleProducer', '--bootstrap-server', inject('brokers')];
      const input = Array.from({ length: 5000 }, (_, n) => `${n}`).join('\n');
      const flags = ['-XX:TieredStopAtLevel=1', '-cp', join(origin.libs, '*')];
      const args = [...flags, ...tool, '--topic', topic, '--compression-codec', codec];
      const written = spawnSync(origin.java, args, { input, encoding: 'utf8' });
      expect(written.status, written.stderr).toBe(0);
      const reader = new Collector();
      const log = new KafkaLog(settings, {}, quiet);
      await log.follow([topic], reader);
      await until('5,000 records', () => reader.records.length >= 5000);
      await log.close();
      expect(numbersOf(reader.records)).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    },
  );
});
