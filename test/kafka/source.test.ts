import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaSource } from '../../src/adapters/kafka/group/source.ts';
import { guardRequestQueue } from '../../src/adapters/kafka/guard.ts';
import type { Trouble } from '../../src/pipeline/ports.ts';
import { Collector, disorder, freshTopic, numbersOf, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

const quiet = () => undefined;
guardRequestQueue();

describe('Kafka source', () => {
  const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
  // A client that is not ours fills the topics.
  const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const producer = kafka.producer();
  beforeAll(async () => {
    await admin.connect();
    await producer.connect();
  });
  afterAll(async () => {
    await producer.disconnect();
    await admin.disconnect();
  });

  const filled = async (count: number, numPartitions = 1): Promise<string> => {
    const topic = freshTopic('source');
    await makeTopic(topic, numPartitions);
    if (count > 0) {
      await producer.send({ topic, messages: messages(count) });
    }
    return topic;
  };
  const messages = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => ({ key: `k${(from + n) % 10}`, value: String(from + n) }));
  /** Takes records away as retention would. */
  const forget = async (topic: string, before: number) => {
    // kafkajs knows a partition's leader only after it was asked about the topic.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(before) }] });
  };
  const source = (topic: string, more: object = {}) =>
    new KafkaSource(settings, { groupId: `g-${topic}`, topics: [topic], ...more }, quiet);

  test('without room for longer than the session it stays in the group, as the same member', async () => {
    const topic = await filled(3000, 3);
    const reader = new Collector();
    reader.room = () => false;
    const reading = source(topic, { sessionTimeoutMs: 6000 });
    await reading.start(reader);
    await until('the first chunk', () => reader.records.length > 0);
    const members = async () => {
      const { groups } = await admin.describeGroups([`g-${topic}`]);
      return { state: groups[0]?.state, ids: groups[0]?.members.map(({ memberId }) => memberId) };
    };
    const before = await members();
    const held = reader.records.length;
    await sleep(9000);
    expect(reader.records.length).toBe(held);
    expect(before).toMatchObject({ state: 'Stable', ids: [expect.any(String)] });
    expect(await members()).toEqual(before);
    reader.room = () => true;
    reading.resume();
    await until('all', () => reader.records.length >= 3000);
    await reading.stop();
    expect(reader.records.length).toBe(3000);
    expect(disorder(reader.records)).toEqual([]);
  });

  test('a position that retention overtook is refused with the range', async () => {
    const topic = await filled(100);
    await forget(topic, 40);
    const reading = source(topic);
    const failure = await reading
      .start(new Collector(new Map([[`${topic}/0`, 39]])))
      .catch((error: unknown) => error);
    await reading.stop();
    expect(failure).toMatchObject({ code: 'offset-out-of-range' });
    expect(String(failure)).toMatch(/offset 39 of .*\/0 is outside .* 40 to 100; retention took/);

    const atTheEdge = new Collector(new Map([[`${topic}/0`, 40]]));
    const again = source(topic);
    await again.start(atTheEdge);
    await until('the rest', () => atTheEdge.records.length === 60);
    await again.stop();
    expect(atTheEdge.records[0]?.offset).toBe(40);

    const anew = new Collector();
    const fresh = source(topic);
    await fresh.start(anew);
    await until('the rest', () => anew.records.length === 60);
    await fresh.stop();
  });

  test('retention that overtakes a reader on the way is an error, never a silent skip', async () => {
    const topic = await filled(2000);
    const reader = new Collector();
    reader.room = () => false;
    const reading = source(topic);
    await reading.start(reader);
    await until('the first chunk', () => reader.records.length === 500);
    // More than one fetch holds is behind what was fetched, so the next fetch starts below the new beginning.
    const filler = Array.from({ length: 30 }, (_, n) => ({ key: 'k', value: `${'x'.repeat(90_000)}${n}` }));
    for (const message of filler) {
      await producer.send({ topic, messages: [message] });
    }
    await producer.send({ topic, messages: messages(10) });
    await forget(topic, 2035);
    reader.room = () => true;
    reading.resume();
    await until('the error', () => reader.errors.length > 0);
    await reading.stop();
    expect(reader.errors[0]).toMatchObject({ code: 'offset-out-of-range' });
    const offsets = reader.records.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.map((_, index) => index));
  });

  test('a topic made again behind a running reader is an error', async () => {
    const topic = await filled(500);
    const reader = new Collector();
    const reading = source(topic);
    await reading.start(reader);
    await until('all', () => reader.records.length === 500);
    await admin.deleteTopics({ topics: [topic] });
    await sleep(500);
    const ours = new KafkaAdmin(settings, quiet);
    await ours.create([{ name: topic, partitions: 1, configs: {} }]);
    await ours.close();
    await producer.send({ topic, messages: messages(20) });
    await until('the error', () => reader.errors.length > 0);
    await reading.stop();
    expect(reader.errors[0]).toMatchObject({ code: 'offset-out-of-range' });
    expect(reader.records.length).toBe(500);
  });

  test('markers of transactions at the end of a partition do not hold its position back', async () => {
    const topic = await filled(10);
    const writer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
    await writer.connect();
    for (const end of ['commit', 'abort', 'abort'] as const) {
      const transaction = await writer.transaction();
      await transaction.send({ topic, messages: messages(5, end === 'commit' ? 10 : 100) });
      await transaction[end]();
    }
    await writer.disconnect();
    const reader = new Collector();
    const reading = source(topic);
    // 10, then 5 + a marker three times.
    expect(await reading.ends()).toEqual({ [topic]: { 0: 28 } });
    await reading.start(reader);
    await until('the end', () => reader.position(topic, 0) === 28);
    await reading.stop();
    expect(numbersOf(reader.records)).toEqual(Array.from({ length: 15 }, (_, n) => n));

    // From here on there is nothing but markers and what was aborted.
    const late = new Collector(new Map([[`${topic}/0`, 16]]));
    const again = source(topic);
    await again.start(late);
    await until('the end', () => late.position(topic, 0) === 28);
    await again.stop();
    expect(late.records).toEqual([]);
  });

  test('partitions added to a running topic are read from their start', async () => {
    const topic = await filled(10);
    const reader = new Collector();
    const reading = source(topic);
    await reading.start(reader);
    await until('the first', () => reader.records.length === 10);
    const ours = new KafkaAdmin(settings, quiet);
    await ours.addPartitions(topic, 2);
    await ours.close();
    await sleep(500);
    const late = kafka.producer();
    await late.connect();
    await late.send({ topic, messages: [{ partition: 1, value: '77' }] });
    await late.disconnect();
    await until('the new partition', () => reader.records.length === 11);
    await reading.stop();
    expect(reader.records[10]).toMatchObject({ partition: 1, offset: 0 });
  });

  test('what a reader throws ends the source with that reason', async () => {
    const topic = await filled(10);
    const reader = new Collector();
    reader.room = () => {
      throw new Error('the disk is full');
    };
    const reading = source(topic);
    await reading.start(reader);
    await until('the error', () => reader.errors.length > 0);
    await reading.stop();
    expect(String(reader.errors[0])).toContain('the disk is full');
    expect(reader.records.length).toBe(10);
  });

  test('offsets handed back are where lag tools look', async () => {
    const topic = await filled(100, 2);
    const reader = new Collector();
    const reading = source(topic);
    await reading.start(reader);
    await until('all', () => reader.records.length === 100);
    await reading.commit({ [topic]: { 0: 3, 1: 4 } });
    await reading.stop();
    const [stored] = await admin.fetchOffsets({ groupId: `g-${topic}`, topics: [topic] });
    expect(stored?.partitions.map(({ offset }) => offset).sort()).toEqual(['3', '4']);
    await expect(reading.commit({ [topic]: { 0: 5 } })).resolves.toBeUndefined();
  });

  test('no broker: it says where and since when, keeps trying, and stops when told', async () => {
    const troubles: Trouble[] = [];
    const from = Date.now();
    const reading = new KafkaSource(
      { brokers: ['127.0.0.1:1'], clientId: 'test' },
      { groupId: 'g', topics: ['t'], onTrouble: (trouble) => troubles.push(trouble) },
      quiet,
    );
    const started = reading.start(new Collector());
    await until('two reports', () => troubles.length >= 2);
    await reading.stop();
    await started;
    expect(troubles.map(({ attempt }) => attempt).slice(0, 2)).toEqual([1, 2]);
    expect(troubles[0]).toMatchObject({ brokers: '127.0.0.1:1', since: troubles[1]?.since });
    expect(troubles[0]?.since).toBeGreaterThanOrEqual(from);
    expect(troubles[0]?.reason).toContain('127.0.0.1:1');
  });
});
