import { readerConformance } from '../adapters/reader-conformance.ts';
import { MemoryLog } from './memory-log.ts';
import { memoryReader } from './memory-reader.ts';

readerConformance('memory, 7 records at a time', async () => {
  const log = new MemoryLog();
  const partitions: Record<string, number> = {};
  const create = async (topic: string, count: number) => {
    partitions[topic] = count;
  };
  return {
    create,
    addPartitions: create,
    write: async (topic, partition, values, timestamp) => {
      for (const value of values) log.append(topic, value, { partition, timestamp });
    },
    log: () => memoryReader(log, { handOver: () => 7, partitions }),
    close: async () => {},
  };
});
