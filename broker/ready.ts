import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaAdmin } from '../src/adapters/kafka-admin.ts';
import { RetryableError } from '../src/errors.ts';

/** True once the cluster names a broker that takes work, false when `gone` or the time is up before. */
export async function waitUntilReady(
  brokers: string,
  limitMs: number,
  gone: () => boolean,
): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  const admin = new KafkaAdmin({ brokers: brokers.split(','), clientId: 'ready' }, () => undefined);
  try {
    while (Date.now() < deadline && !gone()) {
      if (await answers(admin)) {
        return true;
      }
      await sleep(100);
    }
    return false;
  } finally {
    await admin.close();
  }
}

async function answers(admin: KafkaAdmin): Promise<boolean> {
  try {
    return (await admin.info()).nodes.length > 0;
  } catch (error) {
    if (error instanceof RetryableError) {
      return false;
    }
    throw error;
  }
}
