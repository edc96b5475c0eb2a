import { describe, expect, it } from 'vitest';
import type { ReadableLog, SourceRecord } from '../../../src/pipeline/ports.ts';
import { eachRecord, wholeTopics } from '../../../src/pipeline/reading/bounded.ts';
import { portWith } from '../../fixtures/port.ts';
import { memoryReader } from '../memory-reader.ts';

/** null: a tombstone. */
const record = (
  topic: string,
  partition: number,
  offset: number,
  value: string | null = 'v',
): SourceRecord => ({
  ...{ topic, partition, offset, timestamp: 1, key: Buffer.from(`${partition}`) },
  value: value === null ? null : Buffer.from(value),
});
const nameOf = ({ topic, partition, offset }: SourceRecord) => `${topic}${partition}:${offset}`;

describe('a bounded read', () => {
  it('takes all that the topics hold, one partition after the other, tombstones included', async () => {
    const records = [record('a', 1, 0), record('b', 0, 3), record('a', 0, 0, null), record('a', 1, 7)];
    const log = memoryReader({ records }, { lows: { 'b/0': 2 }, handOver: () => 1 });
    const taken: SourceRecord[] = [];
    const stretches = await wholeTopics(log, ['a', 'b']);
    expect(stretches).toEqual([
      { topic: 'a', partition: 0, from: 0, until: 1 },
      { topic: 'a', partition: 1, from: 0, until: 8 },
      { topic: 'b', partition: 0, from: 2, until: 4 },
    ]);
    await eachRecord(log, stretches, (some) => void taken.push(...some));
    expect(taken.map(nameOf)).toEqual(['a0:0', 'a1:0', 'a1:7', 'b0:3']);
    expect(taken[0]?.value).toBeNull();
    await log.close();
  });

  it('ends where the topics ended when it began, and takes no records while some are taken', async () => {
    const records = [record('a', 0, 0), record('a', 0, 1)];
    const log = memoryReader({ records }, { handOver: () => 1 });
    const taken: string[] = [];
    let busy = false;
    await eachRecord(log, await wholeTopics(log, ['a']), async (some) => {
      expect(busy).toBe(false);
      busy = true;
      // A writer goes on publishing.
      records.push(record('a', 0, records.length));
      await new Promise((resolve) => setImmediate(resolve));
      taken.push(...some.map(nameOf));
      busy = false;
    });
    expect([taken, records.length]).toEqual([['a0:0', 'a0:1'], 4]);
    await log.close();
  });

  it('closes what it opened, also where the records can not be taken', async () => {
    const inner = memoryReader({ records: [record('a', 0, 0)] });
    let open = 0;
    const log: ReadableLog = portWith(inner, {
      read: async (stretches) => {
        const reading = await inner.read(stretches);
        open++;
        return portWith(reading, {
          close: () => {
            open--;
            return reading.close();
          },
        });
      },
    });
    const stretches = await wholeTopics(log, ['a']);
    const refusal = eachRecord(log, stretches, () => {
      throw new Error('full');
    });
    await expect(refusal).rejects.toThrow('full');
    await eachRecord(log, stretches, () => undefined);
    expect(open).toBe(0);
    await inner.close();
  });
});
