import { describe, expect, it } from 'vitest';
import { BadEvent } from '../../../src/errors/errors.ts';
import { readStream } from '../../../src/evaluation/stream/read-stream.ts';
import type { SourceRecord } from '../../../src/pipeline/ports.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { changeOf, relations } from './stream-fixture.ts';

/** Two partitions; the value of a record is `time event`. */
const log = new MemoryLog();
for (const [partition, records] of [
  ['0 a likes 1', '30 a likes 2', '40 nonsense'],
  ['10 b likes 1', '20 b likes 2', '50 b likes 3'],
].entries())
  for (const text of records)
    log.append('likes', Buffer.from(text), { partition, timestamp: Number(text.split(' ')[0]) });
const stretches = [0, 1].map((partition) => ({ topic: 'likes', partition, from: 0, until: 3 }));

function content(record: SourceRecord): SourceRecord {
  const [at = '', ...event] = `${record.value}`.split(' ');
  const problem = event[0] === 'nonsense' ? new BadEvent('not-json', 'nonsense') : undefined;
  return {
    ...record,
    content: problem ? { changes: [], problem } : { changes: [changeOf(event.join(' '), Number(at))] },
  };
}

describe('readStream', () => {
  it('reads events in the order of their times, and says where a share of them ends', async () => {
    const seen: number[] = [];
    const read = await readStream(
      log.eventLog(),
      stretches,
      relations,
      content,
      async (records) => void seen.push(records),
    );
    const { stream } = read;
    const names = Array.from({ length: stream.length }, (_, i) => stream.entities[stream.rhs[i]!]);
    expect(names).toEqual(['tweet:1', 'tweet:1', 'tweet:2', 'tweet:2', 'tweet:3']);
    expect(read.records).toBe(6);
    const first = { partition: 0, offset: 2, reason: 'nonsense' };
    expect(read.unusable).toEqual([{ topic: 'likes', code: 'not-json', records: 1, first }]);
    expect(seen).toEqual([6]);
    const until = (record: number) => read.before(record).stretches.map((stretch) => stretch.until);
    expect(until(0)).toEqual([0, 0]);
    expect(until(3)).toEqual([1, 2]);
    expect(read.before(3).events).toBe(3);
    // The record that holds no event is the fifth.
    expect(until(5)).toEqual([3, 2]);
    expect(read.before(5).events).toBe(4);
    expect(until(6)).toEqual([3, 3]);
    expect(read.before(6).events).toBe(5);
  });
});
