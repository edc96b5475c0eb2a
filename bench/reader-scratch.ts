import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker } from '../broker/start.ts';
import { connect } from '../src/adapters/connect.ts';
import { registerCodecs } from '../src/adapters/kafka-codecs.ts';

const dir = await mkdtemp(join(tmpdir(), 'twhin-bench-'));
const broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
try {
  const settings = { brokers: [broker.brokers], clientId: 'bench' };
  registerCodecs();
  const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING });
  const log = connect(settings);
  const N = Number(process.argv[2] ?? 200_000);
  const value = Buffer.alloc(120, 'x');
  const producer = kafka.producer();
  await producer.connect();
  for (const [name, compression, batch, partitions] of [
    ['none', 0, 1000, 1],
    ['none', 0, 1000, 3],
    ['none', 0, 100, 3],
    ['lz4', 3, 1000, 3],
  ] as const) {
    const topic = `t-${name}-${batch}-${partitions}`;
    await log.admin().create([{ name: topic, partitions, configs: {} }]);
    for (let n = 0; n < N; n += batch) {
      await producer.send({
        topic,
        compression,
        messages: Array.from({ length: batch }, (_, i) => ({
          partition: (n / batch) % partitions,
          key: `user:${n + i}`,
          value,
          headers: { h: 'abc' },
        })),
      });
    }
    for (let round = 0; round < 3; round++) {
      const reader = log.reader();
      const ranges = await reader.ranges([topic]);
      const reading = await reader.read(
        ranges.map(({ topic, partition, low, high }) => ({ topic, partition, from: low, until: high })),
      );
      const started = performance.now();
      const cpu = process.cpuUsage();
      let count = 0,
        calls = 0;
      await Promise.all(
        reading.cursors.map(async (cursor) => {
          for (let r = await cursor.next(); r !== undefined; r = await cursor.next()) {
            count += r.length;
            calls++;
          }
        }),
      );
      const ms = performance.now() - started;
      const { user, system } = process.cpuUsage(cpu);
      console.log(
        `${topic}: ${count} records in ${ms.toFixed(0)} ms, ${(count / ms).toFixed(0)}k/s, ${((user + system) / count).toFixed(2)} µs CPU each, ${calls} calls`,
      );
      await reader.close();
    }
    const consumer = kafka.consumer({ groupId: `g-${topic}` });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    let count = 0;
    let started = 0;
    let cpu = process.cpuUsage();
    await new Promise<void>(
      (resolve) =>
        void consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            if (count === 0) {
              started = performance.now();
              cpu = process.cpuUsage();
            }
            count += batch.messages.length;
            if (count >= N) resolve();
          },
        }),
    );
    const ms = performance.now() - started;
    const { user, system } = process.cpuUsage(cpu);
    console.log(
      `${topic}: kafkajs group ${(count / ms).toFixed(0)}k/s, ${((user + system) / count).toFixed(2)} µs CPU each`,
    );
    await consumer.disconnect();
  }
  await producer.disconnect();
  await log.close();
} finally {
  await broker.stop();
}
