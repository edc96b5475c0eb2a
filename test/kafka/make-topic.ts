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
