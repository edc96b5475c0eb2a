import { expect, inject, test } from 'vitest';
import { z } from 'zod';
import { shardOf } from '../../src/graph/shard.ts';
import { COMMAND } from '../faults/deployment.ts';
import { type FailpointInput, withFailpoints } from '../faults/failpoints/plan.ts';
import { deployed } from './deployed.ts';
import { readStore, type Stored, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import { SMALL, until } from './twhin.ts';

const SHARDS = 3;
const ALL = Array.from({ length: SHARDS }, (_, shard) => shard);
const AT = 1_700_000_000_000;
const GRAPH = ['--graph', 'engagement'];
const REPLAY = ['replay', ...GRAPH, '--into', 'shadow'];

/** Each is an edge of its own. */
const likes = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => {
    const i = from + n;
    return { userId: `u${i % 60}`, tweetId: `t${Math.floor(i / 60)}`, action: 'like', at: AT + i };
  });
const edgeOf = ({ userId, tweetId, at }: ReturnType<typeof likes>[number]) =>
  `user:${userId} likes tweet:${tweetId} ${at}`;

const DIGEST = z.object({ edges: z.string(), vectors: z.string() });
const REPLAYED = z.object({
  space: z.string(),
  events: z.number(),
  edges: z.record(z.string(), z.number()),
  stores: z.array(z.object({ graph: z.string(), digest: DIGEST })),
});
const STATS = z.object({ graphs: z.record(z.string(), z.object({ digest: DIGEST })) });
const PROMOTED = z.object({
  stores: z.array(z.object({ graph: z.string(), previous: z.string(), behind: z.number() })),
  elsewhere: z.array(z.string()),
});

test('shards are replayed beside the running ones, promoted under them, and go on in one space', async () => {
  const brokers = inject('brokers');
  const here = await deployed(
    `${SMALL} training: { batchEdges: 64 }, graphs: { engagement: { shards: ${SHARDS} } },`,
  );
  const stored = (shard: number, headOnly = false): Promise<Stored> =>
    readStore(here, `engagement-${shard}`, headOnly);
  const consumed = (events: number) =>
    until(`${events} events in each shard`, async () => {
      const heads = await Promise.all(ALL.map((shard) => stored(shard, true)));
      // What does not concern a shard it may not count.
      const read = heads.map(({ head }) => Object.values(head?.positions[here.topic('engagement')] ?? {}));
      return read.every((positions) => positions.reduce((sum, { offset }) => sum + offset, 0) === events);
    });
  await here.ok(['topics', 'apply']);
  await here.feed('engagement', likes(0, 600));
  const running = [
    here.start(['run', '--graph', 'engagement-0', '--graph', 'engagement-1']),
    here.start(['run', '--graph', 'engagement-2']),
  ];
  await consumed(600);
  const { space: before = '' } = (await stored(0, true)).head ?? {};

  // The replay is killed and interrupted while its shards train, and starts from scratch.
  const stopped = (failpoint: Pick<FailpointInput, 'place' | 'call' | 'act'>) =>
    here.start(REPLAY, { command: COMMAND, env: withFailpoints({ ...failpoint, when: 'after' }) });
  // Two of three shards have committed what they were trained on.
  const killed = stopped({ place: 'store.write', call: 2, act: 'kill' });
  expect((await killed.ended).signal).toBe('SIGKILL');
  const early = await here.end(['promote', 'shadow', ...GRAPH]);
  expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('shadow is not finished')]);
  const interrupted = stopped({ place: 'store.getMany', call: 12, act: 'freeze' });
  await interrupted.freezes();
  interrupted.kill('SIGINT');
  interrupted.kill('SIGCONT');
  const { code, stderr } = await interrupted.ended;
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('interrupted; the same command starts from the beginning'),
  ]);
  const replayed = REPLAYED.parse(await here.json(REPLAY));
  expect([replayed.events, replayed.edges['likes']]).toEqual([600, 600]);
  const { graphs } = STATS.parse(await here.json(['stats', ...GRAPH, '--digest']));
  for (const { graph, digest } of replayed.stores)
    expect([graph, digest.edges]).toEqual([graph, graphs[graph]?.digest.edges]);

  // What the running shards read and send meanwhile is not the replayed ones' training.
  await here.feed('engagement', likes(600, 200));
  await consumed(800);
  const promoted = PROMOTED.parse(await here.json(['promote', 'shadow', ...GRAPH]));
  expect(promoted.elsewhere).toEqual([]);
  expect(promoted.stores.map(({ graph, previous, behind }) => [graph, previous, behind])).toEqual(
    ALL.map((shard) => [`engagement-${shard}`, 'main', 200]),
  );
  await here.feed('engagement', likes(800, 100));
  await consumed(900);
  for (const each of running) each.kill('SIGTERM');
  for (const each of running) expect((await each.ended).code).toBe(0);

  const stores = await Promise.all(ALL.map((shard) => stored(shard)));
  const edges = new Set(stores.flatMap((each) => each.edges));
  expect([...edges].sort()).toEqual(likes(0, 900).map(edgeOf).sort());
  const own = stores.map(({ head }) => head?.shard?.edges['likes'] ?? 0);
  expect(own.reduce((sum, each) => sum + each, 0)).toBe(900);
  for (const { head } of stores) {
    expect(head?.space).toBe(replayed.space);
    for (const { run } of Object.values(head?.shard?.received ?? {})) expect(run).toBe(replayed.space);
  }
  // Shards still hear of each other: gradients of what came after the promotion were applied.
  const received = stores.flatMap(({ head }) => Object.values(head?.shard?.received ?? {}));
  expect(received.length).toBeGreaterThan(0);

  const vectors = new Map(
    stores.flatMap((each, shard) => [...each.vectors].filter(([key]) => shardOf(key, SHARDS) === shard)),
  );
  const topic = fold(await readTopic(brokers, here.topic('embeddings.engagement')));
  expect(unlike(vectors, topic)).toEqual([]);
  expect(new Set([...topic.values()].map(({ headers }) => headers['space']))).toEqual(
    new Set([replayed.space]),
  );
  expect(before).not.toBe(replayed.space);
});
