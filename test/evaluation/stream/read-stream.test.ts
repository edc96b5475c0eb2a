import { describe, expect, it } from 'vitest';
import { BadEvent } from '../../../src/errors/errors.ts';
import { readStream } from '../../../src/evaluation/stream/read-stream.ts';
import type { SourceRecord, Stretch } from '../../../src/pipeline/ports.ts';
import { changeOf, relations } from './stream-fixture.ts';

/** A log of two partitions; the value of a record is `time event`. */
const partitions = [
  ['0 a likes 1', '30 a likes 2', '40 nonsense'],
  ['10 b likes 1', '20 b likes 2', '50 b likes 3'],
];
const stretches: Stretch[] = partitions.map((records, partition) => ({
  topic: 'likes',
  partition,
  from: 5,
  until: 5 + records.length,
}));

const log = {
  read: async (asked: readonly Stretch[]) => ({
    cursors: asked.map((stretch) => {
      let left: SourceRecord[] | undefined = partitions[stretch.partition]!.map((text, i) => ({
        topic: 'likes',
        partition: stretch.partition,
        offset: 5 + i,
        timestamp: Number(text.split(' ')[0]),
        key: null,
        value: Buffer.from(text),
      }));
      return {
        stretch,
        next: async () => {
          const records = left;
          left = undefined;
          return records;
        },
      };
    }),
    close: async () => undefined,
  }),
};

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
      log,
      stretches,
      relations,
      content,
      async (records) => void seen.push(records),
    );
    const { stream } = read;
    const names = Array.from({ length: stream.length }, (_, i) => stream.entities[stream.rhs[i]!]);
    expect(names).toEqual(['tweet:1', 'tweet:1', 'tweet:2', 'tweet:2', 'tweet:3']);
    expect(read.records).toBe(6);
    const first = { partition: 0, offset: 7, reason: 'nonsense' };
    expect(read.unusable).toEqual([{ topic: 'likes', code: 'not-json', records: 1, first }]);
    expect(seen).toEqual([6]);
    const until = (record: number) => read.before(record).stretches.map((stretch) => stretch.until);
    expect(until(0)).toEqual([5, 5]);
    expect(until(3)).toEqual([6, 7]);
    expect(read.before(3).events).toBe(3);
    // The record that holds no event is the fifth.
    expect(until(5)).toEqual([8, 7]);
    expect(read.before(5).events).toBe(4);
    expect(until(6)).toEqual([8, 8]);
    expect(read.before(6).events).toBe(5);
  });
});
