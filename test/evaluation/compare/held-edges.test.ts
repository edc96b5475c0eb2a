import { describe, expect, test } from 'vitest';
import {
  type ComparedStore,
  heldStretches,
  readHeldEdges,
  readHeldRecords,
} from '../../../src/evaluation/compare/held-edges.ts';
import { commitOf, entity, MODEL, user } from '../../graph/graph-fixture.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { memoryReader } from '../../pipeline/memory-reader.ts';
import { storeOf, withContents } from './fixture.ts';

describe('heldStretches', () => {
  test('begins at the later offset of the two stores, never below the start of the log', () => {
    const range = (topic: string, partition: number, low: number, high: number) => {
      return { topic, partition, low, high };
    };
    const ranges = [range('t', 0, 0, 10), range('t', 1, 5, 9), range('t', 2, 0, 4), range('u', 0, 3, 8)];
    const a = { t: { '0': 7, '1': 2, '2': 4 } };
    const b = { t: { '0': 4, '1': 3, '2': 1 }, u: {} };
    expect(heldStretches(ranges, [a, b])).toEqual([
      { topic: 't', partition: 0, from: 7, until: 10 },
      { topic: 't', partition: 1, from: 5, until: 9 },
      { topic: 'u', partition: 0, from: 3, until: 8 },
    ]);
    expect(heldStretches([range('t', 0, 0, 6)], [a, b])).toEqual([]);
  });
});

describe('readHeldRecords', () => {
  const log = new MemoryLog();
  // Partition 0 has the even seconds, partition 1 the odd ones.
  for (let i = 0; i < 20; i++) log.append('t', { i }, { partition: i % 2, timestamp: 1000 * i });
  const stretches = [
    { topic: 't', partition: 0, from: 2, until: 10 },
    { topic: 't', partition: 1, from: 6, until: 9 },
  ];
  const content = { changes: [] };
  const held = async (limit: number) => {
    const records = await readHeldRecords(
      memoryReader(log, { handOver: () => 2 }),
      stretches,
      limit,
      (each) => ({
        ...each,
        content,
      }),
    );
    expect(records.every((each) => each.content === content)).toBe(true);
    return records.map(({ timestamp }) => timestamp / 1000);
  };

  test('reads all records, the earliest first, with their content', async () => {
    expect(await held(100)).toEqual([4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18]);
  });

  test('reads at most `limit` records, and nothing without stretches', async () => {
    expect(await held(3)).toEqual([4, 6, 8]);
    expect(await readHeldRecords(memoryReader(log), [], 3, (each) => each)).toEqual([]);
  });
});

const AT = 1_700_000_000_000;

async function held(a: ComparedStore, b: ComparedStore, log: MemoryLog) {
  const found = await readHeldEdges({ a, b }, withContents(log.records), () => {});
  return found.map(({ lhs, relation, rhs }) => `${lhs} ${relation} ${rhs}`);
}

const follow = (followerId: string, followedId: string, action = 'follow', at = AT) => ({
  followerId,
  followedId,
  action,
  at,
});
const vectors = { 'user:1': [1, 0], 'user:2': [0, 1], 'user:3': [1, 1], 'tweet:1': [1, 0] };

describe('readHeldEdges', () => {
  test('gives new edges between entities trained in both stores', async () => {
    const a = await storeOf({
      vectors: { ...vectors, 'user:onlyA': [1, 0], 'user:raw': [1, 0], 'user:raw2': [0, 0] },
      untrained: ['user:raw2'],
    });
    const b = await storeOf({
      vectors: { 'user:9': [1, 0], ...vectors, 'user:raw': [0, 0], 'user:raw2': [1, 0] },
      untrained: ['user:raw'],
    });
    const log = new MemoryLog();
    for (const event of [
      follow('1', '2'),
      follow('1', 'onlyA'),
      follow('2', 'raw'),
      follow('2', 'raw2'),
      follow('unheard', '2'),
      follow('3', '1', 'unfollow'),
      follow('3', '2', 'block'),
      follow('1', '2', 'follow', AT + 5),
    ]) {
      log.append('twhin.follow', event);
    }
    log.append('twhin.engagement', { userId: '3', tweetId: '1', action: 'like', at: AT });
    log.append('twhin.ad-click', { userId: '3', adId: '1', advertiserId: '1', at: AT });
    log.append('twhin.erasure', { entity: 'user:1', at: AT });
    log.append('twhin.follow', Buffer.from('no event'));
    log.append('twhin.other', follow('2', '1'));
    expect(await held(a, b, log)).toEqual(['user:1 follows user:2', 'user:3 likes tweet:1']);
  });

  test('skips entities that a checkpoint does not have yet', async () => {
    const [a, b] = [await storeOf({ vectors }), await storeOf({ vectors })];
    const newer = entity(user('new'), 50, { updates: 3 });
    for (const { store, head } of [a, b])
      await store.commit(commitOf({ head: { ...head, commit: 2 }, entities: [newer] }));
    const log = new MemoryLog();
    log.append('twhin.follow', follow('1', 'new'));
    log.append('twhin.follow', follow('1', '2'));
    expect(await held(a, b, log)).toEqual(['user:1 follows user:2']);
  });

  test('skips edges that are live in either store, and events too old for either', async () => {
    const a = await storeOf({
      vectors,
      edges: ['user:1 follows user:2', `-user:3 follows user:1@${AT + 9}`],
    });
    const b = await storeOf({ vectors, edges: ['user:2 follows user:1', '-user:3 follows user:2@5'] });
    const log = new MemoryLog();
    for (const [follower, followed] of ['12', '21', '31', '32', '23']) {
      log.append('twhin.follow', follow(follower!, followed!));
    }
    // 3 follows 2 again after an unfollow: new to both.
    expect(await held(a, b, log)).toEqual(['user:3 follows user:2', 'user:2 follows user:3']);
  });

  test('takes only relations of both models', async () => {
    const b = await storeOf({ model: { ...MODEL, relations: [MODEL.relations[1]!] }, vectors });
    const log = new MemoryLog();
    log.append('twhin.follow', follow('1', '2'));
    log.append('twhin.engagement', { userId: '3', tweetId: '1', action: 'like', at: AT });
    expect(await held(await storeOf({ vectors }), b, log)).toEqual(['user:3 likes tweet:1']);
  });
});
