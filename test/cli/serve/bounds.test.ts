import { describe, expect, test } from 'vitest';
import { boundsToSay, edgesWithin } from '../../../src/cli/serve/bounds.ts';
import { own, place, refused } from '../captured.ts';

const GB = 1e9;
const memory = 16 * GB;
const shop = { name: 'shop', model: { dim: 128 }, trainer: { maxRows: 4_000_000 } };

describe('edges that fit', () => {
  test('are the default, or as many of 31 bytes as take half of the memory', () => {
    expect(edgesWithin(undefined, 1, memory)).toBe(100_000_000);
    // 8 GB / 3 graphs / 31
    expect(edgesWithin(undefined, 3, memory)).toBe(86_021_505);
  });

  test('are those asked for, up to where edges of 12 bytes alone take all of the memory', () => {
    expect(edgesWithin(1_333_333_333, 1, memory)).toBe(1_333_333_333);
    expect(() => edgesWithin(1_333_333_334, 1, memory)).toThrow(
      /^--edges: 1,333,333,334 edges of one graph take 16\.0 GB; this process has 16\.0 GB\. At most 1,333,333,333 fit/,
    );
    expect(() => edgesWithin(700_000_000, 2, memory)).toThrow(/edges of 2 graphs .* At most 666,666,666 fit/);
  });
});

describe('bounds', () => {
  test('that fit are not said', () => {
    expect(boundsToSay([shop], 100_000_000, 1, memory)).toEqual([]);
  });

  test('are said where vectors and edges together take more than the memory', () => {
    // 657 bytes in the table and 131 beside it for a vector, 31 for an edge.
    const small = 4_000_000 * 788 + 1_000_000 * 31;
    expect(boundsToSay([shop], 1_000_000, 1, small)).toEqual([]);
    expect(boundsToSay([shop], 1_000_001, 1, small)).toEqual([
      'one graph can take 3.2 GB for vectors by limits.maxEntities and 0.0 GB for 1,000,001 edges each; this process has 3.2 GB',
    ]);
  });

  test('are said where more entities can come than a table has rows', () => {
    const large = { ...shop, trainer: { maxRows: 30_000_000 } };
    expect(boundsToSay([large], 1, 1, 64 * GB)).toEqual([
      expect.stringMatching(
        /^graph shop can have 30,000,000 entities .* holds 29,619,200 of a type and ends/,
      ),
    ]);
  });
});

test('twhin serve refuses edges that can not fit before it connects', async () => {
  const at = await own(place());
  const asked = at.run('serve', '--edges', '1000000000000');
  await refused(asked, 2, '--edges: 1,000,000,000,000 edges of 2 graphs');
});
