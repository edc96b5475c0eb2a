/**
 * Processor time that a published vector takes on its way into a Kafka request, by kafkajs and by what is put in its
 * place, taking turns, as Markdown: `npx node bench/records.ts > bench/results/records.md`.
 */
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { type Message as KafkaMessage, Partitioners } from 'kafkajs';

import { ByteWriter } from '../src/adapters/kafka/producer/byte-writer.ts';
import { crc32c } from '../src/adapters/kafka/producer/crc32c.ts';
import { keyPartitioner } from '../src/adapters/kafka/producer/partitioner.ts';
import { encodeRequest, type ProduceFields } from '../src/adapters/kafka/producer/produce-request.ts';
import { writeRecords } from '../src/adapters/kafka/producer/record-batch.ts';
import { requestsOf } from '../src/adapters/kafka/producer/requests.ts';
import type { Message } from '../src/pipeline/ports.ts';
import { embeddingHeaders } from '../topics/embeddings.ts';
import { median } from './median.ts';

/** Of a sweep, which is of some steps; what is to go to one partition is sent in one request. */
const [SWEEPS, RECORDS, STEPS, PARTITIONS, ROUNDS] = [10, 2_000, 16, 4, 9];
const topic = 'twhin.embeddings.engagement';

const require = createRequire(import.meta.url);
const kafkajs = {
  group: require('kafkajs/src/producer/groupMessagesPerPartition.js'),
  crc: require('kafkajs/src/protocol/recordBatch/crc32C/index.js'),
  record: require('kafkajs/src/protocol/recordBatch/record/v0/index.js'),
  request: require('kafkajs/src/protocol/requests/produce/v3/request.js'),
};

const space = crypto.randomUUID();
const headers = Array.from({ length: STEPS }, (_, n) =>
  embeddingHeaders({
    ...{ graph: 'engagement', dim: 128, dtype: 'float32', step: 1_234_567 + n, at: 1_341_705_593_000 },
    ...{ fingerprint: '0123456789abcdef', epoch: 3, space },
  }),
);
const messages: Message[] = Array.from({ length: RECORDS }, (_, n) => ({
  ...{ topic, key: `user:${(n * 7919) % 1_000_000}`, value: Buffer.alloc(512, n) },
  headers: headers[n % STEPS]!,
}));
const partitionMetadata = Array.from({ length: PARTITIONS }, (_, partitionId) => ({
  ...{ partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] },
}));
const requests = requestsOf(topic, messages, partitionMetadata, keyPartitioner());
const fields = requests.map(
  ({ partition, messages: list }): ProduceFields => ({
    ...{ acks: -1, timeout: 10_000, producerId: '4000', producerEpoch: 1, transactionalId: topic },
    topicData: [{ topic, partitions: [{ partition, firstSequence: 0, messages: list }] }],
  }),
);
const encoded = fields.map((each) => encodeRequest(each).buffer);

const [chooseOurs, chooseTheirs] = [keyPartitioner(), Partitioners.DefaultPartitioner()];
const partition = (choose: typeof chooseOurs) => {
  for (const { key, value } of messages) {
    choose({ topic, partitionMetadata, message: { key, value: value === null ? null : Buffer.from(value) } });
  }
};

const plain = requests.map((each) => [...each.messages]);
const group = (partitioner: typeof chooseOurs, list: readonly KafkaMessage[]) =>
  kafkajs.group({ topic, partitionMetadata, partitioner, messages: list });

/** Each does its part for one sweep. */
const parts: Record<string, Record<'kafkajs' | 'ours', () => unknown>> = {
  'its partition': { kafkajs: () => partition(chooseTheirs), ours: () => partition(chooseOurs) },
  'its group': {
    kafkajs: () => plain.map((each) => group(chooseTheirs, each)),
    ours: () => requests.map((each) => group(chooseOurs, each.messages)),
  },
  'its record': {
    kafkajs: () => {
      for (const request of requests) {
        for (const [offsetDelta, message] of request.messages.entries())
          kafkajs.record({ ...message, offsetDelta });
      }
    },
    ours: () => {
      for (const request of requests) writeRecords(new ByteWriter(64 * 1024), request.messages);
    },
  },
  'its CRC-32C': {
    kafkajs: () => encoded.map((bytes) => kafkajs.crc(bytes)),
    ours: () => encoded.map((bytes) => crc32c(bytes, 0, bytes.length)),
  },
  'its request, encoded whole': {
    kafkajs: () => Promise.all(fields.map((each) => kafkajs.request(each).encode())),
    ours: () => fields.map((each) => encodeRequest(each)),
  },
};

console.log('# A published vector on its way into a Kafka request\n');
console.log('    npx node bench/records.ts\n');
console.log(
  `${cpus()[0]?.model ?? 'Unknown processor'}, Node ${process.version}. 128 floats and 8 headers, sweeps of ` +
    `${RECORDS.toLocaleString('en')} of ${STEPS} steps to ${PARTITIONS} partitions. Medians of ${ROUNDS} rounds of ${SWEEPS} sweeps, taking turns.\n`,
);
console.log('| µs of processor a vector | kafkajs | ours |\n|---|---:|---:|');
for (const [part, sides] of Object.entries(parts)) {
  const micros = { kafkajs: [] as number[], ours: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of ['kafkajs', 'ours'] as const) {
      const before = process.cpuUsage();
      for (let sweep = 0; sweep < SWEEPS; sweep++) await sides[side]();
      const { user, system } = process.cpuUsage(before);
      micros[side].push((user + system) / (SWEEPS * RECORDS));
    }
  }
  console.log(`| ${part} | ${median(micros.kafkajs).toFixed(2)} | ${median(micros.ours).toFixed(2)} |`);
}
