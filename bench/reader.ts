import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stdout } from 'node:process';
import { Kafka, logLevel } from 'kafkajs';
import { startBroker } from '../broker/start.ts';
import { connect } from '../src/adapters/connect.ts';
import { registerCodecs } from '../test/kafka/kafkajs-codecs.ts';

/**
 * Records a second, and processor time each, of the one reader, following and bounded, and of a kafkajs group on the same topic, in turn in one run. Usage: node bench/reader.ts [records]
 */
const RECORDS = Number(process.argv[2] ?? 200_000);
const [BATCH, PARTITIONS, ROUNDS] = [1000, 3, 5];
const TOPICS = [
  { topic: 'plain', compression: 0 },
  { topic: 'lz4', compression: 3 },
];

registerCodecs();
const dir = await mkdtemp(join(tmpdir(), 'twhin-bench-'));
const broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
const log = await connect({ brokers: [broker.brokers], clientId: 'bench' });
const reader = log.log();
const kafka = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING });
const producer = kafka.producer({ idempotent: true });
await producer.connect();
await log.admin().create(TOPICS.map(({ topic }) => ({ name: topic, partitions: PARTITIONS, configs: {} })));
for (const { topic, compression } of TOPICS) {
  for (let n = 0; n < RECORDS; n += BATCH) {
    // About 150 bytes each, half of them hard to compress.
    const messages = Array.from({ length: BATCH }, (_, i) => ({
      ...{ key: `user:${n + i}`, partition: (n / BATCH) % PARTITIONS },
      value: `${crypto.randomUUID()}${crypto.randomUUID()}${'x'.repeat(58)}`,
    }));
    await producer.send({ topic, compression, messages });
  }
}
await producer.disconnect();

async function bounded(topic: string): Promise<void> {
  const ranges = await reader.ranges([topic]);
  const reading = await reader.read(
    ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, until: high })),
  );
  for (const cursor of reading.cursors) while ((await cursor.next()) !== undefined);
  await reading.close();
}

async function follow(topic: string): Promise<void> {
  let left = RECORDS;
  const done = Promise.withResolvers<void>();
  const following = await reader.follow([topic], {
    position: () => undefined,
    take: ({ records }) => {
      left -= records.length;
      if (left <= 0) done.resolve();
    },
    failed: done.reject,
  });
  await done.promise;
  await following.close();
}

async function group(topic: string): Promise<void> {
  const consumer = kafka.consumer({ groupId: crypto.randomUUID() });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let left = RECORDS;
  const done = Promise.withResolvers<void>();
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      left -= batch.messages.length;
      if (left <= 0) done.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
}

for (const { topic } of TOPICS) {
  const ways = Object.entries({ follow, bounded, group });
  const taken = new Map(ways.map(([name]) => [name, [] as { ms: number; cpu: number }[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, work] of ways) {
      const [begun, before] = [performance.now(), process.cpuUsage()];
      await work(topic);
      const { user, system } = process.cpuUsage(before);
      taken.get(name)?.push({ ms: performance.now() - begun, cpu: user + system });
    }
  }
  for (const [name, rounds] of taken) {
    const best = Math.min(...rounds.map(({ ms }) => ms));
    const cpu = rounds.map((one) => one.cpu / RECORDS).toSorted((a, b) => a - b);
    stdout.write(
      `${topic}, ${name}: ${Math.round(RECORDS / best)}k records/s in the best of ${ROUNDS} rounds, connecting included; ` +
        `${(cpu[ROUNDS >> 1] ?? 0).toFixed(2)} µs of CPU each in the middle one\n`,
    );
  }
}
await reader.close();
await log.close();
await broker.stop();
await rm(dir, { recursive: true, force: true });
