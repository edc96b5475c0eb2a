import { readerConformance } from '../adapters/reader-conformance.ts';
import { MemoryLog } from './memory-log.ts';
import { memoryReader } from './memory-reader.ts';

for (const handOver of [1, 7, 1000]) {
  readerConformance(`memory, ${handOver} at a time`, async () => {
    const log = new MemoryLog();
    const partitions: Record<string, number> = {};
    return {
      create: async (topic, count) => {
        partitions[topic] = count;
      },
      write: async (topic, partition, values, timestamp) => {
        for (const value of values) log.append(topic, value, { partition, timestamp });
      },
      addPartitions: async (topic, count) => {
        partitions[topic] = count;
      },
      log: () => memoryReader(log, { handOver: () => handOver, partitions }),
      close: async () => {},
    };
  });
}
