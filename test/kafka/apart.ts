import type { Admin, Kafka, Producer } from 'kafkajs';
import { afterAll, beforeAll, inject } from 'vitest';
import { client } from '../e2e/topic-ends.ts';

/** How our clients reach the suite's brokers. */
export const settings = { brokers: inject('brokers').split(','), clientId: 'test' };
export const quiet = () => undefined;

/** Clients that share nothing with ours, connected for as long as the tests of the file that calls it take. */
export function apart(): { readonly kafka: Kafka; readonly admin: Admin; readonly producer: Producer } {
  const kafka = client(inject('brokers'));
  const admin = kafka.admin();
  // Idempotent: a request that is repeated, which a new partition can cause, would otherwise leave its records twice.
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  beforeAll(async () => {
    await admin.connect();
    await producer.connect();
  });
  afterAll(async () => {
    await producer.disconnect();
    await admin.disconnect();
  });
  return { kafka, admin, producer };
}
