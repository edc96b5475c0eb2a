import { expect, inject, test } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { KafkaLog } from '../../src/adapters/kafka/reader/log.ts';
import { withAdmin } from '../e2e/topic-ends.ts';
import { quiet, settings } from './apart.ts';
import { freshTopic } from './collector.ts';

test('a topic that is deleted and recreated under the same name has another id', async () => {
  const [one, two] = [freshTopic('ids'), freshTopic('ids')];
  const ours = new KafkaAdmin(settings);
  const make = (name: string) => ours.create([{ name, partitions: 3, configs: {} }]);
  const log = new KafkaLog(settings, {}, quiet);
  const ids = () => log.topicIds([one, two, 'not-there']);
  try {
    await make(one);
    await make(two);
    const before = await ids();
    expect(Object.keys(before).sort()).toEqual([one, two].sort());
    for (const id of Object.values(before)) expect(Buffer.from(id, 'base64url').length).toBe(16);
    expect(await ids()).toEqual(before);
    await withAdmin(inject('brokers'), (admin) => admin.deleteTopics({ topics: [one] }));
    // The topic is gone a moment after the broker says so, and creating an existing topic changes nothing.
    while ((await ours.missing([one])).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await make(one);
    const after = await ids();
    expect(after[two]).toBe(before[two]);
    expect(after[one]).not.toBe(before[one]);
  } finally {
    await log.close();
    await ours.close();
  }
});
