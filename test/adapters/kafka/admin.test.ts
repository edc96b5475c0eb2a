import { expect, test } from 'vitest';
import { KafkaAdmin } from '../../../src/adapters/kafka/admin.ts';

test('a closed admin opens no further connection, which would keep the process alive', async () => {
  const admin = new KafkaAdmin({ brokers: ['127.0.0.1:1'], clientId: 'closed' });
  await admin.close();
  await expect(admin.info()).rejects.toThrow('Connection pool is closed');
  await admin.close();
});
