import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLeadership } from '../../src/adapters/kafka/group/leadership.ts';
import { KafkaLog, type LogOptions } from '../../src/adapters/kafka/reader/log.ts';
import type { Trouble } from '../../src/pipeline/ports.ts';
import { deleteRecords } from '../e2e/topic-ends.ts';
import { apart, quiet, settings } from './apart.ts';
import { Collector, freshTopic, until } from './collector.ts';
import { makeTopic } from './make-topic.ts';

describe('following Kafka', () => {
  const { admin, producer } = apart();
  const ours = new KafkaAdmin(settings);
  afterAll(() => ours.close());

  const filled = async (count: number, numPartitions = 1): Promise<string> => {
    const topic = freshTopic('follow');
    await makeTopic(topic, numPartitions);
    if (count > 0) await producer.send({ topic, messages: messages(count) });
    return topic;
  };
  const messages = (count: number, from = 0) =>
    Array.from({ length: count }, (_, n) => ({ key: `k${(from + n) % 10}`, value: String(from + n) }));
  /** Removes records as retention does. */
  const forget = (topic: string, before: number) =>
    deleteRecords(inject('brokers'), topic, 0, String(before));
  const open = (options: LogOptions = {}): KafkaLog => {
    const log = new KafkaLog(settings, options, quiet);
    onTestFinished(() => log.close());
    return log;
  };

  test('a position whose records retention removed is refused with the range', async () => {
    const topic = await filled(100);
    await forget(topic, 40);
    const failure = await open()
      .follow([topic], new Collector(new Map([[`${topic}/0`, { offset: 39 }]])))
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'offset-out-of-range' });
    expect(String(failure)).toMatch(/offset 39 of .*\/0 is to be .* 40 to 100; retention took/);

    const atTheEdge = new Collector(new Map([[`${topic}/0`, { offset: 40 }]]));
    await open().follow([topic], atTheEdge);
    await until('the rest', () => atTheEdge.records.length === 60);
    expect(atTheEdge.records[0]?.offset).toBe(40);

    const anew = new Collector();
    await open().follow([topic], anew);
    await until('the rest', () => anew.records.length === 60);
  });

  test('a topic that is deleted and recreated under a running follower is an error', async () => {
    const topic = await filled(500);
    const collector = new Collector();
    await open().follow([topic], collector);
    await until('all', () => collector.records.length === 500);
    await admin.deleteTopics({ topics: [topic] });
    // The topic is gone a moment after the broker says so, and creating an existing topic changes nothing.
    await until('the end of the topic', async () => (await ours.missing([topic])).length > 0);
    await ours.create([{ name: topic, partitions: 1, configs: {} }]);
    await producer.send({ topic, messages: messages(20) });
    await until('the error', () => collector.errors.length > 0);
    // Which of the two errors comes first depends on the moment of the check.
    expect(['topic-remade', 'topics-missing']).toContain((collector.errors[0] as { code?: string }).code);
    expect(collector.records.length).toBe(500);
  });

  test('an error that the follower throws ends the reading with this error', async () => {
    const topic = await filled(10);
    const collector = new Collector();
    collector.room = () => {
      throw new Error('the disk is full');
    };
    const following = await open().follow([topic], collector);
    await until('the error', () => collector.errors.length > 0);
    await following.close();
    expect(collector.errors.map(String)).toEqual(['Error: the disk is full']);
    expect(collector.records.length).toBe(10);
  });

  test.each(['following', 'leading'])(
    'without a broker, %s reports the address and since when, keeps trying, and ends when stopped',
    async (work) => {
      const troubles: Trouble[] = [];
      const from = Date.now();
      const away = { brokers: ['127.0.0.1:1'], clientId: 'test' };
      const onTrouble = (trouble: Trouble) => troubles.push(trouble);
      const log = new KafkaLog(away, { onTrouble }, quiet);
      const leadership = new KafkaLeadership(away, { groupId: 'g', topics: ['t'], onTrouble }, quiet);
      const collector = new Collector();
      const begun = work === 'following' ? log.follow(['t'], collector) : leadership.join(collector);
      const failure = begun.catch((error: unknown) => error);
      await until('two reports', () => troubles.length >= 2);
      await (work === 'following' ? log.close() : leadership.stop());
      expect(await failure).toMatchObject({ code: 'stopped' });
      await Promise.all([log.close(), leadership.stop()]);
      expect(collector.errors).toEqual([]);
      expect(troubles.map(({ attempt }) => attempt).slice(0, 2)).toEqual([1, 2]);
      expect(troubles[0]).toMatchObject({ brokers: '127.0.0.1:1', since: troubles[1]?.since });
      expect(troubles[0]?.since).toBeGreaterThanOrEqual(from);
      expect(troubles[0]?.reason).toContain('127.0.0.1:1');
    },
  );
});
