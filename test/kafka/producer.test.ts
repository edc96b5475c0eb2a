import { setTimeout as sleep } from 'node:timers/promises';
import type { PartitionMetadata } from 'kafkajs';
import { expect, inject, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { createKafka } from '../../src/adapters/kafka/client.ts';
import { KafkaSource } from '../../src/adapters/kafka/group/source.ts';
import { TopicProducer } from '../../src/adapters/kafka/producer/producer.ts';
import { Collector, disorder, freshTopic, numbered, until } from './collector.ts';

const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
const quiet = () => undefined;

/** Answers the first that asks last. */
class ReversingAdmin extends KafkaAdmin {
  #asked = 0;

  override async partitions(topic: string): Promise<PartitionMetadata[]> {
    const late = Math.max(0, 200 - 50 * this.#asked++);
    const partitions = await super.partitions(topic);
    await sleep(late);
    return partitions;
  }
}

test('sends made at once keep their order, whichever has its answer about the topic first', async () => {
  const topic = freshTopic('producer');
  const admin = new ReversingAdmin(settings, quiet);
  await admin.create([{ name: topic, partitions: 1, configs: {} }]);
  const producer = new TopicProducer(topic, {
    kafka: createKafka(settings, quiet),
    admin,
    log: quiet,
    address: inject('brokers'),
    user: undefined,
    giveUpMs: 10_000,
    stopping: new AbortController().signal,
  });
  await Promise.all([0, 1, 2, 3].map((n) => producer.send(numbered(topic, 5, 1, n * 5))));
  await producer.close();
  await admin.close();
  const reader = new Collector();
  const reading = new KafkaSource(settings, { groupId: `group-${topic}`, topics: [topic] }, quiet);
  await reading.start(reader);
  await until('20 records', () => reader.records.length >= 20);
  await reading.stop();
  expect(disorder(reader.records)).toEqual([]);
});
