import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { client, endsOf, settledEnds } from './topic-ends.ts';

test('records of a commit that is not yet seen are waited for', async () => {
  const brokers = inject('brokers');
  const topic = `ends.${process.pid}.${Date.now()}`;
  const admin = client(brokers).admin();
  const producer = client(brokers).producer({ transactionalId: topic, maxInFlightRequests: 1 });
  onTestFinished(async () => {
    await producer.disconnect();
    await admin.disconnect();
  });
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true });
  await producer.connect();
  const messages = [0, 1, 2].map((partition) => ({ partition, value: 'a' }));
  const transaction = await producer.transaction();
  for (const message of messages) await transaction.send({ topic, messages: [message] });
  const ends = settledEnds(brokers, [topic]);
  // Open for longer than topics at rest are looked at.
  await sleep(1_000);
  expect([...(await endsOf(brokers, topic)).values()]).toEqual([0, 0, 0]);
  await transaction.commit();
  expect([...(await ends).get(topic)!.values()].sort()).toEqual([2, 2, 2]);
});
