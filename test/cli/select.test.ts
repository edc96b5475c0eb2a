import { expect, test } from 'vitest';
import { selectGraphs, selectTopics, selectWholeGraphs, tellOfLag } from '../../src/cli/select.ts';
import { configOf } from '../../src/config/load.ts';
import { commitOf, graph, HEAD } from '../graph/graph-fixture.ts';

const sharded = (shards: number) => configOf({ graphs: { engagement: { shards }, follow: {} } }, {}, '/srv');

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

test('a topic after --reread is named as in the configuration, or as on the cluster', () => {
  const config = configOf(
    ({ z, defineTopic }) => ({
      topics: [
        defineTopic({
          name: 'clicks',
          topic: 'web.clicks.v3',
          schema: z.object({}),
          key: () => 'k',
          changes: () => [],
        }),
      ],
      graphs: { follow: { topics: ['follow', 'clicks'], shards: 2 } },
    }),
    {},
    '/srv',
  );
  const graphs = selectGraphs(config, ['follow']);
  expect(selectTopics(config, graphs, ['clicks', 'web.clicks.v3', 'follow', 'twhin.follow'])).toEqual([
    'web.clicks.v3',
    'web.clicks.v3',
    'twhin.follow',
    'twhin.follow',
  ]);
  expect(selectTopics(config, graphs, ['edges.follow', 'twhin.exchange.follow'])).toEqual([
    'twhin.edges.follow',
    'twhin.exchange.follow',
  ]);
  expect(() => selectTopics(config, graphs, ['follow', 'twhin.clicks'])).toThrow(
    '--reread: expected one of twhin.follow, web.clicks.v3, twhin.erasure, twhin.exchange.follow, twhin.edges.follow; seen twhin.clicks',
  );
});

test('vectors that are older than the store are told so, and others are not', async () => {
  const store = graph();
  const said: string[] = [];
  const output = { out() {}, status() {}, err: (line: string) => void said.push(line) };
  await tellOfLag(store, output);
  expect(said).toEqual([]);
  await store.commit(commitOf({ head: { ...HEAD, commit: 2, step: 2_966 } }));
  await tellOfLag(store, output, 'early');
  expect(said).toEqual([
    expect.stringMatching(
      /^the vectors of early are as of step 7, [\d.]+ h ago, and the store is at step 2,966: twhin run/,
    ),
  ]);
});
