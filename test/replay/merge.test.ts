import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceRecord, Stretch } from '../../src/pipeline/ports.ts';
import { Merge } from '../../src/replay/merge.ts';
import { MemoryLog } from '../pipeline/memory-log.ts';
import { memoryReader } from '../pipeline/memory-reader.ts';
import { logOf, nameOf, type Sent, stream, wholeOf, withContent } from './replay-log.ts';

/** The whole merge, taken `limit` records at a time from cursors that give `handOver` at once. */
async function merged(
  log: MemoryLog,
  options: { limit?: number; handOver?: () => number; stretches?: readonly Stretch[] } = {},
): Promise<{ records: SourceRecord[]; ended: Stretch[]; stretches: readonly Stretch[] }> {
  const { limit = 3, handOver = () => 2 } = options;
  const reader = memoryReader(log, { handOver });
  const stretches = options.stretches ?? (await wholeOf(reader, log));
  const merge = new Merge((await reader.read(stretches)).cursors, withContent);
  const records: SourceRecord[] = [];
  const ended: Stretch[] = [];
  for (;;) {
    const taken = await merge.take(limit);
    records.push(...taken.records);
    ended.push(...taken.ended);
    if (taken.records.length === 0) return { records, ended, stretches };
  }
}

const follow = (part: number, at: number): Sent => ({
  topic: 'twhin.follow',
  partition: part,
  at,
  value: { followerId: 'a', followedId: 'b', action: 'follow', at: at * 1000 },
});
const like = (part: number, at: number): Sent => ({
  topic: 'twhin.engagement',
  partition: part,
  at,
  value: { userId: 'a', tweetId: 'b', action: 'like', at: at * 1000 },
});

describe('the order of a merge', () => {
  test("by the event's own time, whenever the log got it", async () => {
    const early = {
      ...follow(0, 9),
      value: { followerId: 'a', followedId: 'b', action: 'follow', at: 1000 },
    };
    const { records } = await merged(logOf([follow(1, 5), early, like(0, 7)]));
    expect(records.map(nameOf)).toEqual(['twhin.follow/0:0', 'twhin.follow/1:0', 'twhin.engagement/0:0']);
  });

  test('within a partition by offset, though an event be late', async () => {
    const log = logOf([follow(0, 5), follow(0, 1), follow(1, 3), follow(1, 6)]);
    const { records } = await merged(log);
    expect(records.map(nameOf)).toEqual([
      'twhin.follow/1:0',
      'twhin.follow/0:0',
      'twhin.follow/0:1',
      'twhin.follow/1:1',
    ]);
  });

  test('a record that can not be used is where the log dates it', async () => {
    const broken = { topic: 'twhin.follow', partition: 1, at: 2, value: '{' };
    // Dated 2.5 s: after the event of second 2, before that of second 3, whatever the log says of those.
    const { records } = await merged(logOf([follow(0, 2), follow(0, 3), broken]));
    expect(records.map(nameOf)).toEqual(['twhin.follow/0:0', 'twhin.follow/1:0', 'twhin.follow/0:1']);
    expect(records[1]?.content?.problem?.code).toBe('not-json');
  });

  test('partitions in time order come as one sort would put them', async () => {
    await fc.assert(
      fc.asyncProperty(stream, async (sent) => {
        // What can't be used counts as half a second later, when the log dates it.
        const second = (each: Sent) => each.at + (typeof each.value === 'string' ? 0.5 : 0);
        const log = logOf([...sent].sort((a, b) => second(a) - second(b)));
        const { records } = await merged(log);
        const at = ({ value, timestamp }: SourceRecord) =>
          value?.toString() === 'not JSON' ? timestamp : timestamp - 500;
        const sorted = [...log.records].sort(
          (a, b) =>
            at(a) - at(b) ||
            (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0) ||
            a.partition - b.partition ||
            a.offset - b.offset,
        );
        expect(records.map(nameOf)).toEqual(sorted.map(nameOf));
      }),
      { numRuns: 200 },
    );
  });

  test('is the same whatever comes at once, and every stretch is told to have ended once', async () => {
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
        fc.integer({ min: 1, max: 9 }),
        async (sent, sizes, limit) => {
          const log = logOf(sent);
          const whole = await merged(log, { limit: 1000, handOver: () => 1000 });
          const parts = await merged(log, { limit, handOver: () => sizes.next().value });
          expect(parts.records.map(nameOf)).toEqual(whole.records.map(nameOf));
          expect(parts.records).toHaveLength(sent.length);
          expect([...parts.ended].sort(byName)).toEqual([...parts.stretches].sort(byName));
        },
      ),
    );
  });

  test('goes on from any place as the whole one would', async () => {
    await fc.assert(
      fc.asyncProperty(stream, fc.nat(), async (sent, place) => {
        const log = logOf(sent);
        const whole = await merged(log);
        const cut = place % (sent.length + 1);
        const stretches = whole.stretches.map((stretch) => {
          const before = whole.records
            .slice(0, cut)
            .filter(({ topic, partition }) => topic === stretch.topic && partition === stretch.partition);
          return { ...stretch, from: before.length };
        });
        const rest = await merged(log, { stretches });
        expect(rest.records.map(nameOf)).toEqual(whole.records.slice(cut).map(nameOf));
      }),
    );
  });
});

test('offsets that the log lacks are passed over', async () => {
  const log = new MemoryLog();
  log.records.push(
    ...logOf([follow(0, 1), follow(0, 2), follow(0, 3)]).records.filter(({ offset }) => offset !== 1),
  );
  const { records, ended } = await merged(log, {
    stretches: [{ topic: 'twhin.follow', partition: 0, from: 0, until: 3 }],
  });
  expect(records.map(nameOf)).toEqual(['twhin.follow/0:0', 'twhin.follow/0:2']);
  expect(ended).toHaveLength(1);
});

function byName(a: Stretch, b: Stretch): number {
  return `${a.topic}/${a.partition}` < `${b.topic}/${b.partition}` ? -1 : 1;
}
