import { expect, test } from 'vitest';
import { sampleStretches } from '../../src/replay/sample.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';

const stretch = (partition: number, from: number, until: number) => ({ topic: 't', partition, from, until });

test('the ends of each stretch, and the bytes of its first records', async () => {
  const log = new MemoryLog();
  for (let n = 0; n < 300; n++) log.append('t', Buffer.alloc(n < 4 ? 10 : 99), { timestamp: 1_000 + n });
  log.append('t', Buffer.alloc(5), { partition: 2, timestamp: 7 });
  const reader = memoryReader(log, { handOver: () => 3 });
  const [whole, empty, one] = await sampleStretches(reader, [
    stretch(0, 1, 290),
    stretch(1, 4, 4),
    stretch(2, 0, 1),
  ]);
  expect([whole?.first?.offset, whole?.last?.offset]).toEqual([1, 289]);
  expect(whole?.sampled).toEqual({ records: 3, bytes: 30 });
  expect(empty).toEqual({ stretch: stretch(1, 4, 4), sampled: { records: 0, bytes: 0 } });
  expect([one?.first?.timestamp, one?.last?.timestamp]).toEqual([7, 7]);
});

test('the last record is found however many offsets after it are none', async () => {
  const log = new MemoryLog();
  log.append('t', {}, { timestamp: 1 });
  log.append('t', {}, { timestamp: 2 });
  log.records.push({ ...log.records[1]!, offset: 5_000 });
  const [found] = await sampleStretches(memoryReader(log), [stretch(0, 0, 5_000)]);
  expect([found?.first?.offset, found?.last?.offset]).toEqual([0, 1]);
});
