import { expect, inject, test } from 'vitest';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import type { FollowedLog } from '../../src/pipeline/ports.ts';
import { deleteRecords } from '../e2e/topic-ends.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { graphStore, updater } from '../pipeline/updater-fixture.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

const { producer } = apart();

test('an updater catches up with a topic that retention emptied before the first reading', async () => {
  const topic = freshTopic('expired');
  await makeTopic(topic, 2);
  for (const partition of [0, 1]) {
    const messages = Array.from({ length: 10 }, () => ({ value: '{}', partition }));
    await producer.send({ topic, messages });
  }
  for (const partition of [0, 1]) await deleteRecords(inject('brokers'), topic, partition);

  // The other topics of the updater stand for this topic.
  const kafkaLog = new KafkaLog(settings, {}, quiet);
  const eventLog: FollowedLog = {
    ranges: () => kafkaLog.ranges([topic]),
    topicIds: () => kafkaLog.topicIds([topic]),
    follow: (_, follower) => kafkaLog.follow([topic], follower),
    close: () => kafkaLog.close(),
  };
  const store = new MemoryStore();
  const running = updater(new MemoryLog(), store, { eventLog });
  const late = setTimeout(() => running.stop(), 30_000);
  await running.run({ untilCaughtUp: true });
  clearTimeout(late);
  expect(running.progress().events.consumed).toBe(0);
  // The updater is up to date without reading: the store may hold no offset yet, but never one below the kept range.
  for (const { offset } of Object.values((await graphStore(store).head())?.positions[topic] ?? {})) {
    expect(offset).toBe(10);
  }

  // Whoever follows is told at once where each partition begins.
  const following = new KafkaLog(settings, {}, quiet);
  const collector = new Collector();
  await following.follow([topic], collector);
  const positions = () => [0, 1].map((partition) => collector.position(topic, partition)?.offset);
  await until('both positions', () => positions().every((position) => position === 10));
  expect(collector.records).toEqual([]);
  await producer.send({ topic, messages: [{ value: '{}', partition: 1 }] });
  await until('the record that came later', () => collector.records.length === 1);
  await following.close();
  expect(positions()).toEqual([10, 11]);
});
