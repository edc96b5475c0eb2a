import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';

/**
 * Makes a topic on the suite's broker and waits until its partitions have leaders. kafkajs's own wait fails where a
 * busy broker has not heard of the topic yet that it just took.
 */
export async function makeTopic(
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const admin = new KafkaAdmin({ brokers: inject('brokers').split(','), clientId: 'test' });
  await admin.create([{ name, partitions, configs }]);
  await admin.close();
}

/** Adds partitions, and waits until each has a leader. A kafkajs producer that knows the topic must connect anew: it drops what is for others. */
export async function growTopic(name: string, partitions: number): Promise<void> {
  const admin = new KafkaAdmin({ brokers: inject('brokers').split(','), clientId: 'test' });
  await admin.addPartitions(name, partitions);
  const led = async () => (await admin.partitions(name)).filter(({ leaderId }) => leaderId >= 0).length;
  while ((await led()) < partitions) await sleep(50);
  await admin.close();
}
