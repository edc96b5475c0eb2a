import { describe, expect, test } from 'vitest';
import { groupOffsets } from '../../../../src/adapters/kafka/group/offsets.ts';

type Admin = Parameters<typeof groupOffsets>[0];

/** A client that finds no partitions of a topic the first so many times it is asked, nor of any but the first at once. */
function forgetful(times: number): Admin & { asked: number } {
  const admin = {
    asked: 0,
    fetchOffsets: async ({ topics = [] }: { topics?: string[] }) => {
      admin.asked++;
      return topics.map((topic, i) => ({
        topic,
        partitions:
          i > 0 || admin.asked <= times
            ? []
            : [
                { partition: 0, offset: '7', metadata: 'note' },
                { partition: 1, offset: '-1', metadata: null },
              ],
      }));
    },
  };
  return admin;
}

const of = (topic: string) => [
  { topic, partition: 0, offset: 7, metadata: 'note' },
  { topic, partition: 1, offset: -1, metadata: null },
];

describe('the offsets of a group', () => {
  test.each([0, 1, 2])('are those of every partition, however many lookups (%i) find none', async (times) => {
    expect(await groupOffsets(forgetful(times), 'g', ['a', 'b', 'c'])).toEqual(['a', 'b', 'c'].flatMap(of));
  });

  test('are not taken for none where no partitions are found', async () => {
    await expect(groupOffsets(forgetful(100), 'g', ['a'])).rejects.toMatchObject({
      name: 'RetryableError',
      code: 'group-offsets',
    });
  });
});
