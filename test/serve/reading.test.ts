import { describe, expect, it } from 'vitest';
import type { EventLog, SourceRecord } from '../../src/pipeline/ports.ts';
import { Reading } from '../../src/serve/reading.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';

const record = (topic: string, offset: number): SourceRecord => ({
  ...{ topic, partition: 0, offset, timestamp: 1, key: null, value: null },
});

async function readingOf(records: SourceRecord[], log: EventLog) {
  const taken: string[] = [];
  const failures: Error[] = [];
  const reading = await Reading.begin({
    ...{ log, topics: ['a', 'b'], failed: (error) => void failures.push(error) },
    take: ({ topic, records: run }) => void taken.push(...run.map(({ offset }) => `${topic}${offset}`)),
  });
  return {
    reading,
    taken,
    failures,
    add: (topic: string, offset: number) => records.push(record(topic, offset)),
  };
}

describe('Reading', () => {
  it('reads all topics from their start, and says how much is left', async () => {
    const records = [record('a', 0), record('a', 1), record('b', 4), record('b', 9)];
    const log = memoryReader({ records }, { lows: { 'b/0': 3 } });
    const { reading, taken, failures } = await readingOf(records, log);
    // Two offsets of a, and those from 3 to 9 of b, most of which were compacted away.
    expect([reading.whole, reading.lag, reading.caughtUp]).toEqual([9, 9, false]);
    await expect.poll(() => reading.caughtUp).toBe(true);
    expect([taken.sort(), reading.lag, failures]).toEqual([['a0', 'a1', 'b4', 'b9'], 0, []]);
    await log.close();
  });

  it('stays up to date once it was, and tells the lag since the last look', async () => {
    const records = [record('a', 0)];
    const log = memoryReader(
      { records },
      { anyTopic: true, delay: () => new Promise((done) => setTimeout(done, 20)) },
    );
    const { reading, add, taken } = await readingOf(records, log);
    await expect.poll(() => reading.caughtUp).toBe(true);
    for (const offset of [0, 1, 2]) add('b', offset);
    await reading.look();
    expect([reading.whole, reading.caughtUp]).toEqual([4, true]);
    await expect.poll(() => reading.lag).toBe(0);
    expect(taken).toEqual(['a0', 'b0', 'b1', 'b2']);
    await log.close();
  });

  it('is up to date at once where there is nothing to read', async () => {
    const log = memoryReader({ records: [] }, { anyTopic: true });
    const { reading } = await readingOf([], log);
    expect([reading.whole, reading.lag, reading.caughtUp]).toEqual([0, 0, true]);
    await log.close();
  });

  it('refuses topics that are missing', async () => {
    await expect(readingOf([], memoryReader({ records: [record('a', 0)] }))).rejects.toThrow(
      expect.objectContaining({ code: 'topics-missing' }),
    );
  });
});
