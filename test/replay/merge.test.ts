import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordRun, SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { merging } from '../../src/replay/merge.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';
import { logOf, nameOf, stream, wholeOf, withContent } from './replay-log.ts';

const stretchOf = ({ topic, partition }: Pick<SourceRecord, 'topic' | 'partition'>) =>
  `${topic}/${partition}`;

/** The event's own time; of a record that can't be used, that of the log. */
function timeOf({ value, timestamp }: SourceRecord): number {
  const text = String(value);
  return text === 'not JSON' ? timestamp : JSON.parse(text).at;
}

/** The order as plainly as the rule reads: of the next records of all partitions the earliest, then by topic and partition. */
function inOrder(records: readonly SourceRecord[]): SourceRecord[] {
  const left = [...Map.groupBy(records, stretchOf).values()];
  const before = (a: SourceRecord, b: SourceRecord) =>
    timeOf(a) - timeOf(b) || (stretchOf(a) < stretchOf(b) ? -1 : 1);
  return records.map(() => {
    const [first] = left.filter(({ length }) => length > 0).sort(([a], [b]) => before(a!, b!));
    return first!.shift()!;
  });
}

test('the earliest event is next, within a partition by offset, whatever comes at once and wherever it begins', async () => {
  const sizes = fc.infiniteStream(fc.integer({ min: 1, max: 9 }));
  /** By how much each event is older than the log says, and which offsets the log lacks. */
  const delays = fc.infiniteStream(fc.integer({ min: 0, max: 4_000 }));
  const lacks = fc.infiniteStream(fc.constantFrom(false, false, false, true));
  await fc.assert(
    fc.asyncProperty(stream, sizes, delays, lacks, fc.nat(), async (sent, sizes, delays, lacks, place) => {
      const log = logOf(
        sent.map((each) => {
          if (typeof each.value === 'string') return each;
          return { ...each, value: { ...each.value, at: Math.max(1, each.at * 1000 - delays.next().value) } };
        }),
      );
      const reader = memoryReader(log, { handOver: () => sizes.next().value });
      const whole = await wholeOf(reader, log);
      const isLast = (record: SourceRecord) =>
        log.records.findLast((each) => stretchOf(each) === stretchOf(record)) === record;
      const kept = log.records.filter((record) => isLast(record) || !lacks.next().value);
      log.records.splice(0, Number.POSITIVE_INFINITY, ...kept);
      const expected = inOrder(kept);
      const begun = expected.splice(0, place % (kept.length + 1));
      const stretches = whole.map((each): Stretch => {
        const last = begun.findLast((record) => stretchOf(record) === stretchOf(each));
        return { ...each, from: last === undefined ? each.from : last.offset + 1 };
      });
      const take = merging((await reader.read(stretches)).cursors, withContent);
      const [records, ended] = [[] as SourceRecord[], [] as RecordRun[]];
      for (;;) {
        const taken = await take(sizes.next().value);
        records.push(...taken.records);
        ended.push(...taken.ended);
        if (taken.records.length === 0) break;
      }
      expect(records.map(nameOf)).toEqual(expected.map(nameOf));
      expect(records.every(({ content }) => content !== undefined)).toBe(true);
      expect(ended.map(stretchOf).sort()).toEqual(stretches.map(stretchOf).sort());
    }),
    { numRuns: 300 },
  );
});
