import { expect, test } from 'vitest';
import { selectGraphs, selectWholeGraphs } from '../../src/cli/select.ts';
import { configOf } from '../../src/config/load.ts';

const sharded = (shards: number) => configOf({ graphs: { engagement: { shards } } }, {}, '/srv');

test('the name of a graph means all of its shards, and the name of a shard that one', () => {
  const config = sharded(3);
  const named = (...names: string[]) => selectGraphs(config, names).map(({ name }) => name);
  expect(named('engagement')).toEqual(['engagement-0', 'engagement-1', 'engagement-2']);
  expect(named('follow', 'engagement-1')).toEqual(['engagement-1', 'follow']);
  expect(named('engagement', 'engagement-1')).toEqual(named('engagement'));
  expect(named()).toHaveLength(4);
  const known = 'the configuration has engagement (engagement-0 to engagement-2), follow';
  expect(() => named('engagement-3', 'nobody')).toThrow(`no graph engagement-3, nobody; ${known}`);
  expect(selectWholeGraphs(config, ['engagement']).map(({ name }) => name)).toEqual(['engagement']);
  expect(selectWholeGraphs(config, []).map(({ name }) => name)).toEqual(['engagement', 'follow']);
  expect(() => selectWholeGraphs(config, ['engagement-1'])).toThrow('no graph engagement-1');
});
