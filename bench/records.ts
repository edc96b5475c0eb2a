/**
 * Processor time that a published vector takes on its way into a Kafka request, by the public parts of other clients and
 * by ours, taking turns, as Markdown: `npx node bench/records.ts > bench/results/records.md`.
 */
import { cpus } from 'node:os';
import { createRecordsBatch } from '@platformatic/kafka';
import { Partitioners } from 'kafkajs';
import { ByteWriter } from '../src/adapters/kafka/producer/byte-writer.ts';
import { keyPartitioner } from '../src/adapters/kafka/producer/partitioner.ts';
import { requestsOf } from '../src/adapters/kafka/producer/produce-requests.ts';
import { writeBatch } from '../src/adapters/kafka/producer/record-batch.ts';
import type { Message } from '../src/pipeline/ports.ts';
import { embeddingHeaders } from '../topics/embeddings.ts';
import { median } from './median.ts';

/** Of a sweep, which is of some steps; what is to go to one partition is sent in one request. */
const [SWEEPS, RECORDS, STEPS, PARTITIONS, ROUNDS] = [10, 2_000, 16, 4, 9];
const topic = 'twhin.embeddings.engagement';

const space = crypto.randomUUID();
const headers = Array.from({ length: STEPS }, (_, n) =>
  embeddingHeaders({
    graph: 'engagement',
    dim: 128,
    dtype: 'float32',
    step: 1_234_567 + n,
    at: 1_341_705_593_000,
    fingerprint: '0123456789abcdef',
    epoch: 3,
    space,
  }),
);
const messages: Message[] = Array.from({ length: RECORDS }, (_, n) => ({
  topic,
  key: `user:${(n * 7919) % 1_000_000}`,
  value: Buffer.alloc(512, n),
  headers: headers[n % STEPS]!,
}));
const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
  partitionErrorCode: 0,
  partitionId,
  leader: 1,
  replicas: [1],
  isr: [1],
}));
const requests = requestsOf(messages, PARTITIONS, keyPartitioner());
const [chooseOurs, chooseKafkajs] = [keyPartitioner(), Partitioners.DefaultPartitioner()];
const platformatic = requests.map(({ messages: list }) =>
  list.map(({ key, value, headers: named }) => ({
    topic,
    key: Buffer.from(String(key)),
    value: Buffer.from(value ?? ''),
    headers: new Map(
      Object.entries(named ?? {}).map(([name, text]) => [Buffer.from(name), Buffer.from(String(text))]),
    ),
  })),
);
const session = { producerId: 4000n, producerEpoch: 1, firstSequence: 0 };

/** Each does its part for one sweep. */
const parts: Record<string, { theirs: () => unknown; ours: () => unknown }> = {
  'its partition (kafkajs)': {
    theirs: () => {
      for (const { key, value } of messages) {
        const message = { key, value: value === null ? null : Buffer.from(value) };
        chooseKafkajs({ topic, partitionMetadata, message });
      }
    },
    ours: () => {
      for (const { key } of messages) chooseOurs(key, PARTITIONS);
    },
  },
  'its batch, checksum included (@platformatic/kafka)': {
    theirs: () =>
      platformatic.map((list) => createRecordsBatch(list, { ...session, transactionalId: topic })),
    ours: () =>
      requests.map(({ messages: records }) =>
        writeBatch(new ByteWriter(1 << 20), {
          records,
          timestamp: Date.now(),
          transactional: true,
          ...session,
        }),
      ),
  },
};

console.log('# A published vector on its way into a Kafka request\n');
console.log('    npx node bench/records.ts\n');
console.log(
  `${cpus()[0]?.model ?? 'Unknown processor'}, Node ${process.version}. 128 floats and 8 headers, sweeps of ` +
    `${RECORDS.toLocaleString('en')} of ${STEPS} steps to ${PARTITIONS} partitions. Medians of ${ROUNDS} rounds of ${SWEEPS} sweeps, taking turns.\n`,
);
console.log('| µs of processor a vector | another client | ours |\n|---|---:|---:|');
for (const [part, sides] of Object.entries(parts)) {
  const micros = { theirs: [] as number[], ours: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of ['theirs', 'ours'] as const) {
      const before = process.cpuUsage();
      for (let sweep = 0; sweep < SWEEPS; sweep++) sides[side]();
      const { user, system } = process.cpuUsage(before);
      micros[side].push((user + system) / (SWEEPS * RECORDS));
    }
  }
  console.log(`| ${part} | ${median(micros.theirs).toFixed(2)} | ${median(micros.ours).toFixed(2)} |`);
}
