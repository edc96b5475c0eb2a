/**
 * Processor time to encode a published vector for Kafka, by kafkajs and by the encoder put in its place, taking turns, as
 * Markdown: `npx node bench/records.ts > bench/results/records.md`.
 */
import { createRequire } from 'node:module';
import { cpus } from 'node:os';

import { encodeRecord, type PlainRecord } from '../src/adapters/kafka/producer/record-encoder.ts';
import { embeddingHeaders } from '../topics/embeddings.ts';
import { median } from './median.ts';

const [RECORDS, ROUNDS] = [20_000, 7];
const require = createRequire(import.meta.url);
const byKafkajs: (
  record: PlainRecord,
) => unknown = require('kafkajs/src/protocol/recordBatch/record/v0/index.js');

const headers = embeddingHeaders({
  ...{ graph: 'engagement', dim: 128, dtype: 'float32', step: 1_234_567, at: 1_341_705_593_000 },
  ...{ fingerprint: '0123456789abcdef', epoch: 3, space: crypto.randomUUID() },
});
const value = Buffer.alloc(512, 7);

const encoders = { kafkajs: byKafkajs, ours: encodeRecord };
const micros: Record<keyof typeof encoders, number[]> = { kafkajs: [], ours: [] };
for (let round = 0; round < ROUNDS; round++) {
  for (const name of ['kafkajs', 'ours'] as const) {
    const encode = encoders[name];
    const before = process.cpuUsage();
    for (let i = 0; i < RECORDS; i++) encode({ offsetDelta: i % 2000, key: `user:${i}`, value, headers });
    const { user, system } = process.cpuUsage(before);
    micros[name].push((user + system) / RECORDS);
  }
}

console.log('# A published vector, encoded for Kafka\n');
console.log('    npx node bench/records.ts\n');
console.log(
  `${cpus()[0]?.model ?? 'Unknown processor'}, Node ${process.version}. 128 floats and 8 headers. Medians of ${ROUNDS} rounds of ` +
    `${RECORDS.toLocaleString('en')} records, taking turns.\n`,
);
console.log('| | µs of processor a record |\n|---|---|');
for (const [name, all] of Object.entries(micros)) console.log(`| ${name} | ${median(all).toFixed(1)} |`);
