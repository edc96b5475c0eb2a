import { describe, expect, test } from 'vitest';
import { type RunAsked, selectRun } from '../../../src/cli/run/shards.ts';
import { configOf } from '../../../src/config/load.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { problemsOf } from '../../config/problems-of.ts';

const ONE: ConfigInput = { graphs: { engagement: { shards: 4 }, follow: {} } };
const TWO: ConfigInput = { graphs: { engagement: { shards: 4 }, follow: { shards: 2 } } };

/** Names of what is run; pod: TWHIN_SHARD. */
function run(input: ConfigInput, asked: Partial<RunAsked>, pod?: string): string[] {
  const config = configOf(input, pod === undefined ? {} : { TWHIN_SHARD: pod }, '/srv');
  return selectRun(config, { graph: [], ...asked }).map(({ name }) => name);
}

describe('what twhin run runs', () => {
  test('is every graph and shard, or what --graph names', () => {
    expect(run(ONE, {})).toEqual(['engagement-0', 'engagement-1', 'engagement-2', 'engagement-3', 'follow']);
    expect(run(ONE, { graph: ['engagement-3', 'follow'] })).toEqual(['engagement-3', 'follow']);
    expect(run({}, {})).toEqual(['engagement', 'follow']);
  });

  test('is one shard or a range of the one graph with shards, or of the one that is named', () => {
    expect(run(ONE, { shard: '3' })).toEqual(['engagement-3']);
    expect(run(ONE, { shards: '1-2' })).toEqual(['engagement-1', 'engagement-2']);
    expect(run(ONE, { shards: '2-2' })).toEqual(['engagement-2']);
    expect(run(TWO, { graph: ['follow'], shard: '1' })).toEqual(['follow-1']);
    expect(run(TWO, { graph: ['engagement'], shards: '0-3' })).toHaveLength(4);
  });

  test('is the shard of a pod, unless the command line says which', () => {
    for (const pod of ['2', 'twhin-engagement-2', 'a-7-2', '-2'])
      expect(run(ONE, {}, pod)).toEqual(['engagement-2']);
    expect(run(TWO, { graph: ['follow'] }, 'twhin-1')).toEqual(['follow-1']);
    expect(run(ONE, { shard: '3' }, 'twhin-2')).toEqual(['engagement-3']);
    expect(run(ONE, { shards: '0-1' }, 'twhin-2')).toEqual(['engagement-0', 'engagement-1']);
    expect(run(ONE, { graph: ['engagement-0'] }, 'twhin-2')).toEqual(['engagement-0']);
    expect(run(ONE, {}, '')).toHaveLength(5);
  });

  test('is refused with what was seen and what was expected, all problems at once', () => {
    expect(problemsOf(() => run(ONE, { shard: '4' }))).toEqual([
      '--shard: expected a number from 0 to 3, seen "4"',
    ]);
    expect(problemsOf(() => run(ONE, { shards: '2-9' }))).toEqual([
      '--shards: expected numbers from 0 to 3, seen "2-9"',
    ]);
    expect(problemsOf(() => run(ONE, {}, 'twhin-4'))).toEqual([
      'TWHIN_SHARD: expected a number from 0 to 3, or the name of a pod that ends in such a number, seen 4',
    ]);
    expect(problemsOf(() => run(ONE, {}, 'twhin'))).toEqual([
      'TWHIN_SHARD: expected a whole number, or the name of a pod that ends in - and a number, such as twhin-3, seen "twhin"',
    ]);
    expect(problemsOf(() => run(TWO, { shard: 'x', shards: '3-1' }))).toEqual([
      '--shard: expected a whole number from 0, such as 3, seen "x"',
      '--shards: expected two numbers with the lower one first, such as 0-3, seen "3-1"',
      '--shard, --shards: expected one of the two, seen both',
      '--shard: expected --graph with one of engagement, follow, seen no --graph',
    ]);
    expect(problemsOf(() => run(TWO, { shard: '0', graph: ['engagement', 'follow'] }))).toEqual([
      '--shard: expected --graph with one of engagement, follow, seen --graph engagement, follow',
    ]);
    expect(problemsOf(() => run(ONE, { shard: '0', graph: ['engagement', 'follow'] }))).toEqual([
      '--shard: expected --graph with one of engagement, seen --graph engagement, follow',
    ]);
    expect(problemsOf(() => run(ONE, { shard: '0', graph: ['engagement-1'] }))).toEqual([
      '--shard: expected the name of a whole graph after --graph, seen engagement-1',
    ]);
    const none = 'expected a graph with shards among';
    expect(problemsOf(() => run({}, { shard: '0' }))).toEqual([
      `--shard: ${none} engagement, follow, seen no --graph`,
    ]);
    expect(problemsOf(() => run(ONE, { graph: ['follow'] }, 'twhin-0'))).toEqual([
      `TWHIN_SHARD: ${none} engagement (engagement-0 to engagement-3), follow, seen --graph follow`,
    ]);
  });
});
