import { setTimeout as sleep } from 'node:timers/promises';
import { inject } from 'vitest';
import { KafkaAdmin } from '../../src/adapters/kafka/admin.ts';
import { RetryableError } from '../../src/errors/errors.ts';
import { growTopic as addPartitions } from '../e2e/topic-ends.ts';

const LOOK_MS = 50;

/**
 * Makes a topic on the suite's broker and waits until its leaders answer for it: a busy broker that is said to lead a
 * new partition refuses the first requests for it.
 */
export async function makeTopic(
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  await withAdmin(async (admin) => {
    await admin.create([{ name, partitions, configs }]);
    await answered(admin, name, partitions);
  });
}

/**
 * Adds partitions and waits likewise. A kafkajs producer that knows the topic must connect anew: it drops what is for
 * partitions that it does not know.
 */
export async function growTopic(name: string, partitions: number): Promise<void> {
  await addPartitions(inject('brokers'), name, partitions);
  await withAdmin((admin) => answered(admin, name, partitions));
}

async function answered(admin: KafkaAdmin, name: string, partitions: number): Promise<void> {
  const led = async () => {
    try {
      return (await admin.ranges(name)).length;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      return 0;
    }
  };
  while ((await led()) < partitions) await sleep(LOOK_MS);
}

async function withAdmin(work: (admin: KafkaAdmin) => Promise<void>): Promise<void> {
  const admin = new KafkaAdmin({ brokers: inject('brokers').split(','), clientId: 'test' });
  try {
    await work(admin);
  } finally {
    await admin.close();
  }
}
