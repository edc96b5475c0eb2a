import { describe, expect, test } from 'vitest';
import { heldStretches, readHeldRecords } from '../../../src/replay/compare/held-records.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { memoryReader } from '../../pipeline/memory-reader.ts';

describe('heldStretches', () => {
  test('begins where the further of the two stands, never below what the log holds', () => {
    const range = (topic: string, partition: number, low: number, high: number) => ({
      ...{ topic, partition, low, high },
    });
    const ranges = [range('t', 0, 0, 10), range('t', 1, 5, 9), range('t', 2, 0, 4), range('u', 0, 3, 8)];
    const a = { t: { '0': 7, '1': 2, '2': 4 } };
    const b = { t: { '0': 4, '1': 3, '2': 1 }, u: {} };
    expect(heldStretches(ranges, [a, b])).toEqual([
      { topic: 't', partition: 0, from: 7, until: 10 },
      { topic: 't', partition: 1, from: 5, until: 9 },
      { topic: 'u', partition: 0, from: 3, until: 8 },
    ]);
    expect(heldStretches([range('t', 0, 0, 6)], [a, b])).toEqual([]);
  });
});

describe('readHeldRecords', () => {
  const log = new MemoryLog();
  // Partition 0 has the even seconds, partition 1 the odd ones.
  for (let i = 0; i < 20; i++) log.append('t', { i }, { partition: i % 2, timestamp: 1000 * i });
  const stretches = [
    { topic: 't', partition: 0, from: 2, until: 10 },
    { topic: 't', partition: 1, from: 6, until: 9 },
  ];
  const content = { changes: [] };
  const held = async (limit: number) => {
    const records = await readHeldRecords(
      memoryReader(log, { handOver: () => 2 }),
      stretches,
      limit,
      (each) => ({
        ...each,
        content,
      }),
    );
    expect(records.every((each) => each.content === content)).toBe(true);
    return records.map(({ timestamp }) => timestamp / 1000);
  };

  test('reads all there are, the earliest first, with their content', async () => {
    expect(await held(100)).toEqual([4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18]);
  });

  test('reads so many and no more, and nothing of nothing', async () => {
    expect(await held(3)).toEqual([4, 6, 8]);
    expect(await readHeldRecords(memoryReader(log), [], 3, (each) => each)).toEqual([]);
  });
});
