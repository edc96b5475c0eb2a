import { beforeEach, describe, expect, test } from 'vitest';
import { checkStore } from '../../../src/graph/check/check.ts';
import { digest, type GraphDigest } from '../../../src/graph/digest.ts';
import type { EdgeChange } from '../../../src/graph/edge.ts';
import { type EntityKey, entityKey, typeOf } from '../../../src/graph/entity.ts';
import type { GraphStore } from '../../../src/graph/graph-store.ts';
import type { Head } from '../../../src/graph/head.ts';
import { type Filled, fillStores } from '../../../src/graph/reshard/fill-stores.ts';
import { nextHead } from '../../../src/graph/reshard/next-head.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { commitOf, commitRows, edgesIn, entity, graph, HEAD, MODEL } from '../graph-fixture.ts';

const EXCHANGE = 'twhin.exchange.test';
const NEXT = {
  graphs: [0, 1, 2].map((index) => ({ name: `test-${index}`, shard: { graph: 'test', index, count: 3 } })),
  internalTopics: [EXCHANGE],
  runs: ['x', 'y', 'z'],
};

/** The first name of the type that belongs to shard `index` of two and begins like this. */
function named(type: string, index: number, start: string): EntityKey {
  for (let i = 0; ; i++) {
    const key = entityKey(type, `${start}${i}`);
    if (shardOf(key, 2) === index) return key;
  }
}

const [a, b] = [named('user', 0, 'a'), named('user', 1, 'b')];
const fresh = named('tweet', 1, 'fresh');
const gone = named('user', 1, 'gone');
const back = named('user', 1, 'back');

const shardHead = (index: number, change: Partial<Head>): Head => ({
  ...HEAD,
  graph: `test-${index}`,
  rows: 12,
  space: 'one',
  shard: { index, count: 2, run: 'r', trained: 9, sent: 0, received: {}, edges: {}, entities: {} },
  ...change,
});
/** Shard 0 is ahead of shard 1. */
const HEADS = [
  shardHead(0, {
    step: 40,
    stepBase: 5,
    epoch: 2,
    positions: {
      follow: { '0': { offset: 12, epoch: 1 }, '1': { offset: 3 } },
      [EXCHANGE]: { '0': { offset: 8 } },
    },
    events: { consumed: 20, rejected: 1, duplicate: 0, late: 0 },
    edges: { follows: 1, likes: 1 },
    entities: { user: 3, tweet: 1 },
    random: [1, 2, 3, 4],
    topicIds: { follow: 'f', [EXCHANGE]: 'e' },
  }),
  shardHead(1, {
    step: 30,
    stepBase: 50,
    epoch: 3,
    positions: { follow: { '0': { offset: 9, epoch: 2 } }, [EXCHANGE]: { '1': { offset: 4 } } },
    events: { consumed: 15, rejected: 2, duplicate: 1, late: 1 },
    edges: { follows: 5 },
    entities: { user: 4 },
    random: [5, 6, 7, 8],
    topicIds: { follow: 'f' },
  }),
];

const edge = (lhs: EntityKey, rhs: EntityKey, at: number, removed = false): EdgeChange => ({
  lhs,
  relation: rhs.startsWith('tweet') ? 'likes' : 'follows',
  rhs,
  at,
  removed,
});
const RELATIONS = { 0: [1, 1, 2, 0], 1: [1, 1, 2, 0], 2: [1, 1, 2, 0], 3: [1, 1, 2, 0] };

/**
 * Shard 0 has read that `a` follows `b` no more, likes `fresh`, and that `gone` and `back` were erased, of whom `back` was followed
 * again. Shard 1 has read none of this, but that `b` follows `back` after the erasure.
 */
async function present(): Promise<GraphStore[]> {
  const [zero, one] = [graph(), graph()];
  await commitRows(zero, {
    head: HEADS[0]!,
    entities: [
      entity(a, 4, { updates: 3 }),
      entity(b, 5, { updates: 2 }),
      entity(fresh, 6, { firstSeen: 30, lastSeen: 31 }),
      entity(back, 7, { firstSeen: 25, lastSeen: 40 }),
    ],
    edges: [edge(a, b, 20, true), edge(a, fresh, 30), edge(a, back, 40)],
    erasures: [
      { key: gone, at: 25 },
      { key: back, at: 25 },
    ],
    vectors: { ...RELATIONS, 4: [0.5, 1, 3, 0.25], 5: [9, 9, -2, 0], 6: [0, 0, -2, 0], 7: [0, 0, -2, 0] },
  });
  await commitRows(one, {
    head: HEADS[1]!,
    entities: [
      entity(b, 4, { updates: 2, firstSeen: 1, lastSeen: 2 }),
      entity(gone, 5, { updates: 1 }),
      entity(back, 6, { updates: 1 }),
      entity(a, 7, { updates: 3 }),
    ],
    edges: [edge(a, b, 10), edge(a, gone, 12), edge(b, gone, 13), edge(a, back, 14), edge(b, back, 50)],
    erasures: [],
    vectors: {
      ...RELATIONS,
      0: [2, 4, 4, 0.5],
      4: [7, 8, 1.5, Number.POSITIVE_INFINITY],
      5: [1, 1, 1, 1],
      6: [1, 1, 1, 1],
      7: [0, 1, -1, 0],
    },
  });
  return [zero, one];
}

let before: GraphDigest;
let after: GraphDigest;
let stores: GraphStore[];
let filled: Filled;
beforeEach(async () => {
  const old = await present();
  before = await digest(old);
  stores = NEXT.runs.map(() => graph());
  filled = await fillStores(old, HEADS, stores, NEXT);
  after = await digest(stores);
});

const home = (key: EntityKey) => shardOf(key, 3);

describe('stores of shards that stopped at different offsets', () => {
  test('give each edge in its newest state to both owners, without those that an erasure took', async () => {
    const wanted = [edge(a, b, 20, true), edge(a, fresh, 30), edge(a, back, 40), edge(b, back, 50)];
    for (const [shard, store] of stores.entries()) {
      const own = wanted.filter(({ lhs, rhs }) => home(lhs) === shard || home(rhs) === shard);
      expect(await edgesIn(store)).toEqual(expect.arrayContaining(own));
      expect(await edgesIn(store)).toHaveLength(own.length);
      expect((await checkStore(store)).findings).toEqual([]);
    }
    expect([before.live, before.removed, before.uneven]).toEqual([{ follows: 2, likes: 1 }, 1, 5]);
    expect(after).toEqual({ ...before, entities: { user: 3, tweet: 1 }, uneven: 0 });
    expect(before.entities).toEqual({ user: 2 });
  });

  test('give what the owner knows to the new owner, and let start from scratch what the owner has not read', async () => {
    expect(filled.added).toEqual({ tweet: 1, user: 1 });
    const found = async (key: EntityKey) => {
      const store = stores[home(key)]!;
      const record = await store.entity(key);
      const [row] = await store.readRows([record?.row ?? -1]);
      return record && [record.updates, record.firstSeen, record.lastSeen, row && [...row]];
    };
    expect(await found(a)).toEqual([3, 1000, 1000, [0.5, 1, 3, 0.25]]);
    // It was never published, and still is to be.
    expect(await found(b)).toEqual([2, 1, 2, [7, 8, 1.5, Number.POSITIVE_INFINITY]]);
    expect(await found(fresh)).toEqual([0, 30, 30, [0, 0, 0, 0]]);
    expect(await found(back)).toEqual([0, 40, 50, [0, 0, 0, 0]]);
    for (const store of stores) expect(await store.entity(gone)).toBeUndefined();
  });

  test('keep every erasure in all, and say what their owners have not read of them', async () => {
    for (const store of stores) {
      const erased = await Array.fromAsync(store.erasures());
      expect(erased.sort((x, y) => (x.name < y.name ? -1 : 1))).toEqual(
        [gone, back]
          .map((key) => ({ name: store.erasedName(key), at: 25 }))
          .sort((x, y) => (x.name < y.name ? -1 : 1)),
      );
    }
    expect(filled.erased.toSorted()).toEqual([gone, back].sort());
  });

  test('have a checkpoint as of their first commit, with a block that says which rows have an entity and are trained', async () => {
    for (const [shard, store] of stores.entries()) {
      const head = await store.head();
      expect(head).toMatchObject({ commit: 1, checkpoint: 1, relations: 0, outbox: 0 });
      const checkpoint = await store.checkpoint();
      expect(checkpoint?.head).toMatchObject({ commit: 1, step: 40, random: head?.random });
      const [block, ...more] = await Array.fromAsync(checkpoint!.blocks());
      expect(more).toEqual([]);
      const expected = { types: [255, 255, 255, 255], trained: [0, 0, 0, 0] };
      for await (const { key, row, updates } of store.entities()) {
        const own = home(key) === shard;
        expected.types[row] = own ? MODEL.entityTypes.indexOf(typeOf(key)) : 255;
        expected.trained[row] = own && updates > 0 ? 1 : 0;
      }
      expect({ types: [...block!.types], trained: [...block!.trained] }).toEqual(expected);
      expect(block!.types.length).toBe(head?.rows);
    }
  });

  test('go on from what all have read, above all steps that were published', () => {
    expect(filled.heads[1]).toMatchObject({
      graph: 'test-1',
      positions: { follow: { '0': { offset: 9, epoch: 2 } } },
      events: { consumed: 15, rejected: 2, duplicate: 1, late: 1 },
      step: 40,
      stepBase: 50,
      epoch: 3,
      random: [5, 6, 7, 8],
      topicIds: { follow: 'f' },
      shard: { index: 1, count: 3, run: 'y', trained: 0, sent: 0, received: {} },
    });
    expect(filled.heads[2]?.random).toEqual([1, 2, 3, 4]);
    const own = (of: 'edges' | 'entities', name: string) =>
      filled.heads.reduce((sum, { shard }) => sum + (shard?.[of][name] ?? 0), 0);
    expect([own('edges', 'follows'), own('edges', 'likes'), own('entities', 'user')]).toEqual([2, 1, 3]);
    const positions = filled.heads.map((head) => head.positions);
    expect(positions).toEqual(filled.heads.map(() => ({ follow: { '0': { offset: 9, epoch: 2 } } })));
  });
});

describe('present stores that lack copies', () => {
  /** The stores without these entities, and their heads. */
  async function without(...gone: readonly (readonly [store: number, key: EntityKey])[]) {
    const old = await present();
    const heads = [...HEADS];
    for (const [index, key] of gone) {
      const store = old[index]!;
      const type = key.slice(0, key.indexOf(':'));
      const { entities } = heads[index]!;
      heads[index] = { ...heads[index]!, entities: { ...entities, [type]: entities[type]! - 1 } };
      await store.commit(commitOf({ head: heads[index]!, erasedEntities: [key] }));
    }
    return { heads, old };
  }

  test('give the same stores', async () => {
    const { heads, old } = await without([0, b], [1, a]);
    expect(await digest(old)).toEqual(before);
    const again = NEXT.runs.map(() => graph());
    const { heads: made, added } = await fillStores(old, heads, again, NEXT);
    expect([made, added]).toEqual([filled.heads, filled.added]);
    expect(await digest(again)).toEqual(after);
  });

  test('are refused where the owner has the edge and has lost the entity', async () => {
    const { heads, old } = await without([0, a]);
    const again = NEXT.runs.map(() => graph());
    await expect(fillStores(old, heads, again, NEXT)).rejects.toThrow(
      `is in the store that owns ${a}, which has no such entity. Run twhin check`,
    );
  });

  test('let an entity start from scratch that an edge names and no store has', async () => {
    const { heads, old } = await without([0, fresh]);
    const again = NEXT.runs.map(() => graph());
    const { added } = await fillStores(old, heads, again, NEXT);
    expect(added).toEqual(filled.added);
    const record = await again[home(fresh)]!.entity(fresh);
    expect([record?.updates, record?.firstSeen, record?.lastSeen]).toEqual([0, 30, 30]);
    expect(await digest(again)).toEqual(after);
    for (const store of again) expect((await checkStore(store)).findings).toEqual([]);
  });
});

describe('the head of a new store', () => {
  test('is that of a whole graph where there is one', () => {
    const head = nextHead([HEADS[0]!], { ...NEXT, graphs: [{ name: 'test' }] }, 0);
    expect(head).toMatchObject({
      graph: 'test',
      step: 40,
      stepBase: 6,
      positions: { follow: { '0': { offset: 12, epoch: 1 }, '1': { offset: 3 } } },
    });
    expect(head).not.toHaveProperty('shard');
  });

  test.each([
    [{ space: 'two' }, /test-0 of one, test-1 of two/],
    [{ topicIds: { follow: 'g' } }, /follow was deleted and recreated.*--reread follow/],
  ])('is refused for stores with %o', (change, message) => {
    const heads = [HEADS[0]!, { ...HEADS[1]!, ...change }];
    expect(() => nextHead(heads, NEXT, 0)).toThrow(
      expect.objectContaining({ code: 'reshard', message: expect.stringMatching(message) }),
    );
  });
});
