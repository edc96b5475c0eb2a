import { expect, test } from 'vitest';
import { declaredTopics } from '../../src/config/declared-topics.ts';
import { configOf } from '../../src/config/load.ts';
import { wholeGraphs } from '../../src/config/resolve.ts';
import type { ConfigInput } from '../../src/config/schema.ts';
import { problemsOf } from './problems-of.ts';

const resolved = (input: ConfigInput) => configOf(input, {}, '/srv');
const sharded = (shards: number) => resolved({ graphs: { engagement: { shards }, follow: {} } });

const problemsIn = (input: ConfigInput) => problemsOf(() => resolved(input));

test('a graph is cut into shards with names and folders of their own, and the same topics, model and trainer', () => {
  const [whole] = resolved({}).graphs;
  const { graphs } = sharded(3);
  expect(graphs.map(({ name, folder, shard }) => ({ name, folder, shard }))).toEqual([
    ...[0, 1, 2].map((index) => ({
      name: `engagement-${index}`,
      folder: `/srv/.twhin/state/engagement-${index}`,
      shard: { graph: 'engagement', index, count: 3 },
    })),
    { name: 'follow', folder: '/srv/.twhin/state/follow', shard: undefined },
  ]);
  for (const { topics, model, trainer } of graphs.slice(0, 3)) {
    expect(topics.map(({ name }) => name)).toEqual(whole!.topics.map(({ name }) => name));
    expect({ model, trainer }).toEqual({ model: whole!.model, trainer: whole!.trainer });
  }
});

test('one shard is the graph as it always was', () => {
  expect(JSON.stringify(sharded(1))).toBe(JSON.stringify(resolved({})));
  for (const graph of sharded(1).graphs) expect(graph).not.toHaveProperty('shard');
});

test('a graph of its own needs topics and relations', () => {
  expect(problemsIn({ graphs: { mine: { shards: 2 } } })).toEqual([
    'graphs.mine.relations: expected names, seen nothing',
    'graphs.mine.topics: expected names, seen nothing',
  ]);
});

test('all that does not go with shards is said at once', () => {
  const other = { topics: ['follow'], relations: ['follows'] };
  expect(
    problemsIn({
      graphs: { engagement: { shards: 2 }, 'engagement-1': other, 'engagement-2': other },
      training: { threads: 4 },
    }),
  ).toEqual([
    'graphs.engagement-1: expected another name, since a shard of engagement is called engagement-1 with graphs.engagement.shards 2',
    'training.threads: expected 1 with graphs.engagement.shards 2, seen 4; a shard trains in one thread',
  ]);
  const relations = Array.from({ length: 220 }, (_, i) => ({ name: `r${i}`, lhs: 'user', rhs: 'user' }));
  const many = (shards: number) => ({
    relations,
    graphs: { mine: { topics: ['follow'], relations: relations.map(({ name }) => name), shards } },
    model: { dim: 512 },
  });
  expect(problemsIn(many(2))).toEqual([
    expect.stringMatching(
      /^graphs\.mine\.shards: expected 1 with 220 relations of model\.dim 512, seen 2; .* message of 902880 bytes, and at most 900000 fit$/,
    ),
  ]);
  expect(problemsIn(many(1))).toEqual([]);
  for (const shards of [0, 257, 1.5])
    expect(problemsIn({ graphs: { engagement: { shards } } })).toEqual([
      expect.stringMatching(/^graphs\.engagement\.shards: .*expected /),
    ]);
  expect(sharded(256).graphs).toHaveLength(257);
});

test('the topics of a graph with shards are declared once, and those between shards beside them', () => {
  const names = (shards: number) => declaredTopics(sharded(shards)).map(({ name }) => name);
  expect(names(4).slice(5)).toEqual([
    'twhin.embeddings.engagement',
    'twhin.embeddings.follow',
    'twhin.model.engagement',
    'twhin.model.follow',
    'twhin.exchange.engagement',
    'twhin.edges.engagement',
    'twhin.dead-letter',
  ]);
  const partitions = declaredTopics(sharded(4)).filter(({ name }) => /exchange|edges/.test(name));
  expect(partitions.map((topic) => topic.partitions)).toEqual([4, 4]);
  expect(names(1).join(' ')).not.toMatch(/exchange|edges/);
});

test('whoever reads the topics alone has each graph once and whole', () => {
  const [plain, other] = resolved({}).graphs;
  const [whole, follow] = wholeGraphs(sharded(4).graphs);
  expect({ ...follow, topics: [] }).toEqual({ ...other, topics: [] });
  const { maxRows } = plain!.trainer;
  expect(whole).toEqual({
    ...plain,
    topics: expect.anything(),
    trainer: { ...plain!.trainer, maxRows: 4 * maxRows },
  });
  expect(whole).not.toHaveProperty('shard');
  expect(whole!.topics.map(({ name }) => name)).toEqual(plain!.topics.map(({ name }) => name));
});

test('when a vector is sent again reaches the trainer where it is set', () => {
  const [graph] = resolved({
    graphs: { engagement: { shards: 2 } },
    training: { resendDistance: 0.1 },
  }).graphs;
  expect(graph!.trainer).toMatchObject({ resendDistance: 0.1 });
  expect(sharded(2).graphs[0]!.trainer).not.toHaveProperty('resendDistance');
});
