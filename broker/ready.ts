import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaAdmin } from '../src/adapters/kafka/admin.ts';
import { RetryableError } from '../src/errors/errors.ts';

/** True once the cluster names `nodes` brokers that take work, false when `gone` or the time is up before. */
export async function waitUntilReady(
  brokers: string,
  limitMs: number,
  gone: () => boolean,
  nodes = 1,
): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  const admin = new KafkaAdmin({ brokers: brokers.split(','), clientId: 'ready' }, () => undefined);
  try {
    while (Date.now() < deadline && !gone()) {
      if (await answers(admin, nodes)) {
        return true;
      }
      await sleep(100);
    }
    return false;
  } finally {
    await admin.close();
  }
}

async function answers(admin: KafkaAdmin, nodes: number): Promise<boolean> {
  try {
    return (await admin.info()).nodes.length >= nodes;
  } catch (error) {
    if (error instanceof RetryableError) {
      return false;
    }
    throw error;
  }
}
