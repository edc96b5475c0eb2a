import { describe, expect, test } from 'vitest';
import { type Comparison, compareStores } from '../../../src/evaluation/compare/compare.ts';
import type { ComparedStore } from '../../../src/evaluation/compare/compared-stores.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import { Layout } from '../../../src/graph/layout.ts';
import type { SourceRecord } from '../../../src/pipeline/ports.ts';
import { readContent } from '../../../src/pipeline/reading/record-content.ts';
import { Random } from '../../../src/sampling/random.ts';
import { EVENT_TOPICS } from '../../../topics/index.ts';
import { DEFAULT_LIMITS } from '../../../topics/record.ts';
import { MODEL } from '../../graph/graph-fixture.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { MemoryLog } from '../../pipeline/memory-log.ts';
import { MODEL as TRAINED_MODEL, updater } from '../../pipeline/updater-fixture.ts';
import { storeOf } from './fixture.ts';
import { randomRows, turned, turns } from './random-rows.ts';

const topics = new Map(EVENT_TOPICS.map((topic) => [`twhin.${topic.name}`, topic]));

function compared(a: ComparedStore, b: ComparedStore, records: readonly SourceRecord[] = []) {
  return compareStores({
    a,
    b,
    records: records.map((each) => ({ ...each, content: readContent(each, topics, DEFAULT_LIMITS) })),
    sample: 1000,
    seed: 1,
    onProgress: () => {},
  });
}

/** Sixty users and forty tweets at random, and a rotated copy. */
async function randomStore(matrix?: Float64Array): Promise<ComparedStore> {
  const rows = randomRows(100 * 2, 5);
  const placed = matrix ? turned(rows, matrix, 2) : rows;
  const vectors = Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      i < 60 ? `user:${i}` : `tweet:${i}`,
      [...placed.subarray(2 * i, 2 * i + 2)],
    ]),
  );
  const edges = Array.from({ length: 30 }, (_, i) => `user:${i} follows user:${i + 1}`);
  return storeOf({ vectors, edges, head: { space: matrix ? 'turned' : 'first' } });
}

describe('compareStores', () => {
  test('finds no difference between a store and itself', async () => {
    const store = await randomStore();
    const log = new MemoryLog();
    for (let i = 0; i < 20; i++) {
      log.append('twhin.follow', { followerId: `${i}`, followedId: `${i + 20}`, action: 'follow', at: 1000 });
    }
    const found = await compared(store, store, log.records);
    expect(found.models).toEqual([]);
    expect(found.entities['user']).toMatchObject({ both: 60, onlyA: 0, onlyB: 0, trained: 60 });
    expect(found.edges['follows']).toMatchObject({ both: 30, onlyA: 0, onlyB: 0 });
    expect(found.held).toEqual({ records: 20, edges: 20 });
    expect(found.quality?.all.a).toEqual(found.quality?.all.b);
    expect(found.quality?.difference).toEqual({ mrr: 0, standardError: 0 });
    expect(found.neighbours['user']).toMatchObject({ asked: 60, among: 60, shared: 1 });
    expect(found.neighbours['tweet']).toMatchObject({ asked: 40, among: 40, shared: 1 });
    expect(found.drift.sameSpace).toBe(true);
    for (const each of [...Object.values(found.drift.raw), ...Object.values(found.drift.rotated)]) {
      expect(each.distance.p99).toBeCloseTo(0, 6);
      expect(each.cosine.p01).toBeCloseTo(1, 6);
    }
    expect(Object.keys(found.drift.rotated)).toEqual(['user', 'tweet']);
  });

  test('finds no drift in a rotated copy after rotation', async () => {
    const [a, b] = [await randomStore(), await randomStore(turns(2, 9))];
    const found = await compared(a, b);
    expect(found.quality).toBeUndefined();
    expect(found.held).toEqual({ records: 0, edges: 0 });
    expect(found.neighbours['user']?.shared).toBe(1);
    expect(found.drift.sameSpace).toBe(false);
    expect(found.drift.raw['user']?.distance.mean).toBeGreaterThan(0.1);
    expect(found.drift.rotated['user']?.distance.p99).toBeCloseTo(0, 6);
    expect(found.drift.rotated['tweet']?.cosine.p01).toBeCloseTo(1, 6);
  });

  test('names the differences of models and compares what is common', async () => {
    const a = await randomStore();
    const b = await storeOf({
      model: { ...MODEL, dim: 3, relations: [MODEL.relations[0]!] },
      vectors: { 'user:1': [1, 0, 0], 'user:2': [1, 1, 0] },
      edges: ['user:1 follows user:2'],
    });
    const found = await compared(a, b);
    expect(found.models).toEqual([
      'dim: A has 2, B 3',
      'relations: A has follows (user → user), likes (user → tweet), B follows (user → user)',
    ]);
    expect(found.edges).toMatchObject({ follows: { both: 1, onlyA: 29, onlyB: 0 } });
    expect(Object.keys(found.edges)).toEqual(['follows']);
    expect(found.neighbours['user']).toMatchObject({ asked: 2, k: 1 });
    expect(found.drift).toEqual({ sameSpace: false, raw: {}, rotated: {} });
  });

  test('does not rotate where a rotation would fit any vectors', async () => {
    const vectors = { 'user:1': [1, 0], 'user:2': [0, 1], 'user:3': [1, 1] };
    const a = await storeOf({ vectors });
    expect((await compared(a, a)).drift.rotated).toEqual({});
  });

  test('does not treat stores without a space as one training run', async () => {
    const a = await storeOf({ vectors: { 'user:1': [1, 0] }, head: { space: '' } });
    expect((await compared(a, a)).drift.sameSpace).toBe(false);
  });

  test('finds the store that was trained on more edges better', async () => {
    const log = new MemoryLog();
    const random = Random.seeded(3);
    for (let i = 0; i < 2500; i++) {
      // Four circles of 25 users and 25 tweets; a user likes within its own.
      const user = random.below(100);
      const tweet = random.below(25) * 4 + (user % 4);
      log.append('twhin.engagement', { userId: `${user}`, tweetId: `${tweet}`, action: 'like', at: 1 + i });
    }
    const trainedOn = async (events: number) => {
      const store = new MemoryStore();
      const part = new MemoryLog();
      part.records.push(...log.records.slice(0, events));
      await updater(part, store).run({ untilCaughtUp: true });
      const graph = new GraphStore(store, new Layout(TRAINED_MODEL));
      return { store: graph, head: (await graph.head())! };
    };
    const [a, b] = [await trainedOn(400), await trainedOn(2000)];
    const found: Comparison = await compared(a, b, log.records.slice(2000));
    expect(found.quality?.all.edges).toBeGreaterThan(100);
    expect(found.quality?.all.edges).toBe(found.held.edges);
    const { mrr, standardError } = found.quality!.difference;
    expect(mrr).toBeGreaterThan(2 * standardError);
    expect(mrr).toBeCloseTo(found.quality!.all.b.mrr - found.quality!.all.a.mrr, 12);
    // The same with A and B exchanged.
    const back = await compared(b, a, log.records.slice(2000));
    expect(back.quality!.difference.mrr).toBeCloseTo(-mrr, 2);
    expect(back.entities['user']).toMatchObject({ both: found.entities['user']?.both });
  });
});
