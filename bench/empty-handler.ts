/** Reads topics to their end with kafkajs and does nothing with it: `node bench/empty-handler.ts BROKERS TOPIC,… RECORDS`. */
import { Kafka, logLevel } from 'kafkajs';

const [brokers = '', topics = '', records = '0'] = process.argv.slice(2);
const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const consumer = kafka.consumer({ groupId: crypto.randomUUID() });
await consumer.connect();
await consumer.subscribe({ topics: topics.split(','), fromBeginning: true });
let left = Number(records);
let first: { readonly at: number; readonly left: number } | undefined;
const done = Promise.withResolvers<void>();
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    left -= batch.messages.length;
    // From the end of the first batch, which includes connecting and joining.
    first ??= { at: performance.now(), left };
    if (left <= 0) done.resolve();
  },
});
await done.promise;
const rate = (first?.left ?? 0) / ((performance.now() - (first?.at ?? 0)) / 1000);
process.stderr.write(`${JSON.stringify({ rate })}\n`);
await consumer.disconnect();
