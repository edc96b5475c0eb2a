// Follows a topic of one partition to an offset, in a process of its own: BROKERS TOPIC OFFSET. Prints what it took, as JSON.
import { KafkaLog } from '../../src/adapters/kafka/kafka.ts';

const [brokers = '', topic = '', end = '0'] = process.argv.slice(2);
const log = new KafkaLog(
  { brokers: brokers.split(','), clientId: 'follow' },
  { aheadBytes: 4 << 20 },
  () => undefined,
);
const said = { count: 0, largestRun: 0, error: '' };
const done = Promise.withResolvers<void>();
await log.follow([topic], {
  position: () => undefined,
  take: ({ records, next }) => {
    let bytes = 0;
    for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
    said.count += records.length;
    said.largestRun = Math.max(said.largestRun, bytes);
    if (next >= Number(end)) done.resolve();
  },
  failed: (error) => {
    said.error = String(error);
    done.resolve();
  },
});
await done.promise;
await log.close();
process.stdout.write(`${JSON.stringify(said)}\n`);
