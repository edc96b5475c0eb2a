import { Kafka, logLevel } from 'kafkajs';
import { expect, inject, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { createKafka } from '../../src/adapters/kafka/client.ts';
import { guardRequestQueue } from '../../src/adapters/kafka/guard.ts';
import { topicIds } from '../../src/adapters/kafka/topic-ids.ts';
import { freshTopic } from './collector.ts';

guardRequestQueue();
const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
const quiet = () => undefined;

test('a topic made again under the same name has another id', async () => {
  const admin = new Kafka({ ...settings, logLevel: logLevel.NOTHING }).admin();
  const [one, two] = [freshTopic('ids'), freshTopic('ids')];
  const ours = new KafkaAdmin(settings, quiet);
  const make = (name: string) => ours.create([{ name, partitions: 3, configs: {} }]);
  const ids = () => topicIds(createKafka(settings, quiet), settings, [one, two, 'not-there']);
  await admin.connect();
  try {
    await make(one);
    await make(two);
    const before = await ids();
    expect(Object.keys(before).sort()).toEqual([one, two].sort());
    for (const id of Object.values(before)) expect(Buffer.from(id, 'base64url').length).toBe(16);
    expect(await ids()).toEqual(before);
    await admin.deleteTopics({ topics: [one] });
    // Gone a moment after the broker says so; one that is there is left as it is.
    while ((await ours.missing([one])).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await make(one);
    const after = await ids();
    expect(after[two]).toBe(before[two]);
    expect(after[one]).not.toBe(before[one]);
  } finally {
    await ours.close();
    await admin.disconnect();
  }
});

test('no broker: it says where', async () => {
  const away = { brokers: ['127.0.0.1:1'], clientId: 'test' };
  await expect(topicIds(createKafka(away, quiet), away, ['t'])).rejects.toMatchObject({
    code: 'broker-unreachable',
    message: expect.stringContaining('127.0.0.1:1'),
  });
});
