import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../../src/adapters/connect.ts';
import { LogPartition, writeTopic } from '../../../src/adapters/file-log/partition.ts';
import { readerConformance } from '../reader-conformance.ts';

readerConformance('the file log', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'twhin-reader-'));
  const log = await connect({ brokers: [`file:${dir}`], clientId: 'test' });
  return {
    create: (topic, partitions) => log.admin().create([{ name: topic, partitions, configs: {} }]),
    write: (topic, partition, values, timestamp) =>
      new LogPartition(dir, topic, partition).append(
        values.map((value) => ({ timestamp, key: null, value: Buffer.from(String(value)), headers: {} })),
      ),
    addPartitions: (name, partitions) => writeTopic(dir, { name, partitions, configs: {} }),
    log: () => log.log(),
    close: async () => {
      await log.close();
      await rm(dir, { recursive: true });
    },
  };
});
