import { beforeEach, describe, expect, inject, test } from 'vitest';
import { compareSteps } from '../faults/verifier/compare.ts';
import { deployed } from './deployed.ts';
import { readStore, unlike } from './stored.ts';
import { fold, readTopic } from './topic-reader.ts';
import type { Twhin } from './twhin.ts';

const T0 = Date.UTC(2024, 4, 1);
let twhin: Twhin;

beforeEach(async () => {
  twhin = await deployed();
  await twhin.ok(['topics', 'apply']);
});

const follow = (followerId: string, followedId: string, action: string, after: number) => ({
  ...{ followerId, followedId, action, at: T0 + after },
});
const engage = (userId: string, tweetId: string, action: string, after: number) => ({
  ...{ userId, tweetId, action, at: T0 + after },
});
const catchUp = () => twhin.ok(['run', '--until-caught-up']);
const graphs = async () => Object(await twhin.json(['stats'])).graphs;
const show = async (entity: string, graph: string) =>
  Object(await twhin.json(['show', entity, '--graph', graph]));

describe('an event and its counterpart', () => {
  test('follow, unfollow, a late follow, block; likes twice, unlike and unretweet', async () => {
    await twhin.feed('follow', [
      follow('a', 'b', 'follow', 10),
      follow('a', 'c', 'follow', 20),
      follow('a', 'b', 'unfollow', 30),
      follow('d', 'a', 'follow', 40),
      follow('d', 'a', 'block', 50),
      // Its follow comes later, and is older.
      follow('e', 'a', 'unfollow', 60),
    ]);
    await twhin.feed('engagement', [
      engage('a', 't1', 'like', 10),
      engage('a', 't1', 'like', 10),
      engage('a', 't2', 'retweet', 11),
      engage('a', 't2', 'like', 12),
      engage('a', 't3', 'like', 13),
    ]);
    await catchUp();
    await twhin.feed('follow', [
      follow('a', 'b', 'follow', 15),
      follow('e', 'a', 'follow', 59),
      follow('d', 'a', 'follow', 45),
      follow('a', 'c', 'unfollow', 19),
    ]);
    await twhin.feed('engagement', [
      engage('a', 't2', 'unretweet', 20),
      engage('a', 't1', 'like', 10),
      engage('a', 't3', 'unlike', 21),
      engage('a', 't3', 'like', 22),
    ]);
    await catchUp();

    const { follow: followed, engagement } = await graphs();
    expect(followed.edges).toMatchObject({ follows: 1 });
    expect(followed.events).toEqual({ consumed: 10, rejected: 0, duplicate: 0, late: 4 });
    // e was only ever named by events that left no edge.
    expect(followed.entities).toMatchObject({ user: 4 });
    expect(engagement.edges).toMatchObject({ likes: 3, retweets: 0 });
    expect(engagement.events).toEqual({ consumed: 9, rejected: 0, duplicate: 2, late: 0 });
    expect((await show('user:a', 'follow')).edges).toEqual({
      follows: { out: 1, in: 0, some: ['user:c'] },
    });
    expect((await show('user:c', 'follow')).edges).toEqual({
      follows: { out: 0, in: 1, some: ['user:a'] },
    });
    expect((await show('user:b', 'follow')).edges).toEqual({});
    expect((await show('user:a', 'engagement')).edges).toEqual({
      likes: { out: 3, in: 0, some: ['tweet:t1', 'tweet:t2', 'tweet:t3'] },
    });
    expect((await show('tweet:t2', 'engagement')).edges).toEqual({
      likes: { out: 0, in: 1, some: ['user:a'] },
    });
    const nowhere = await twhin.end(['show', 'user:e', '--json']);
    expect(nowhere).toMatchObject({ code: 1, stdout: '' });
    for (const graph of ['follow', 'engagement']) {
      const { vectors } = await readStore(twhin, graph);
      const topic = fold(await readTopic(inject('brokers'), twhin.topic(`embeddings.${graph}`)));
      expect(topic.size).toBe(4);
      expect(unlike(vectors, topic)).toEqual([]);
    }
  });
});

describe('an erasure', () => {
  test('takes edges and vector and leaves a tombstone; what was older stays away, what is newer comes back', async () => {
    const brokers = inject('brokers');
    await twhin.feed('follow', [follow('x', 'y', 'follow', 1), follow('y', 'z', 'follow', 2)]);
    await twhin.feed('engagement', [
      engage('x', 't1', 'like', 3),
      engage('y', 't1', 'like', 4),
      engage('y', 't2', 'mention', 5),
    ]);
    await catchUp();
    expect((await show('user:y', 'follow')).edges).toMatchObject({ follows: { out: 1, in: 1 } });
    const before = await readTopic(brokers, twhin.topic('embeddings.engagement'));
    expect(fold(before).get('user:y')?.value).toHaveLength(64);

    await twhin.feed('erasure', [{ entity: 'user:y', at: T0 + 100 }]);
    await catchUp();
    await twhin.feed('follow', [follow('z', 'y', 'follow', 50)]);
    await catchUp();
    const { follow: followed, engagement } = await graphs();
    expect(followed).toMatchObject({ edges: { follows: 0 }, entities: { user: 2 }, events: { late: 1 } });
    expect(engagement).toMatchObject({ edges: { likes: 1, mentions: 0 }, entities: { user: 1, tweet: 2 } });
    expect((await show('tweet:t1', 'engagement')).edges).toEqual({
      likes: { out: 0, in: 1, some: ['user:x'] },
    });
    expect(await twhin.end(['show', 'user:y', '--json'])).toMatchObject({ code: 1, stdout: '' });
    for (const graph of ['follow', 'engagement']) {
      const { vectors } = await readStore(twhin, graph);
      const records = await readTopic(brokers, twhin.topic(`embeddings.${graph}`));
      const tombstone = fold(records).get('user:y');
      expect(tombstone?.value).toBeNull();
      expect(tombstone?.headers).toMatchObject({ graph, dim: '16', dtype: 'float32' });
      expect(records.filter(({ key }) => key === 'user:y').length).toBeGreaterThan(1);
      expect(compareSteps(records)).toEqual([]);
      expect(unlike(vectors, fold(records))).toEqual([]);
    }

    await twhin.feed('follow', [follow('y', 'x', 'follow', 200)]);
    await catchUp();
    expect((await show('user:y', 'follow')).edges).toEqual({
      follows: { out: 1, in: 0, some: ['user:x'] },
    });
    const back = await readStore(twhin, 'follow');
    const topic = fold(await readTopic(brokers, twhin.topic('embeddings.follow')));
    expect(topic.get('user:y')?.value).toHaveLength(64);
    expect(unlike(back.vectors, topic)).toEqual([]);
  });
});
