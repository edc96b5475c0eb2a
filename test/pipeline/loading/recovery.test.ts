import { describe, expect, test } from 'vitest';
import type { EntityKey } from '../../../src/graph/entity.ts';
import { packEntities } from '../../../src/graph/entity-index.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import { shardOf } from '../../../src/graph/shard.ts';
import { WriteBatch } from '../../../src/graph/store.ts';
import type { ImageBlock } from '../../../src/pipeline/loading/image.ts';
import { type RecoveryOptions, recover } from '../../../src/pipeline/loading/recovery.ts';
import type { LoadedRows } from '../../../src/pipeline/training/trainer.ts';
import { ShardNeighbourhood } from '../../../src/shards/neighbourhood.ts';
import { put } from '../../graph/check/check-fixture.ts';
import {
  commitOf,
  entity,
  graph,
  HEAD,
  MODEL,
  part,
  recordOf,
  tweet,
  user,
} from '../../graph/graph-fixture.ts';
import { MemoryImage } from '../memory-image.ts';
import { StandInTrainer } from '../training/stand-in-trainer.ts';

const follows = (lhs: string, rhs: string, removed = false) => ({
  lhs: user(lhs),
  relation: 'follows',
  rhs: user(rhs),
  at: 5,
  removed,
});

const clock = () => 0;
const NONE = new Int32Array(0);
/** Recovers the graph `test`. */
const recovered = (store: GraphStore, trainer = new StandInTrainer(), options: RecoveryOptions = {}) =>
  recover(store, trainer, 'test', MODEL, clock, options);

/** That it is refused, by a code and some of the text. */
async function expectRefused(refused: Promise<unknown>, code: string, text: string | RegExp): Promise<void> {
  await expect(refused).rejects.toMatchObject({ name: 'FatalError', code });
  await expect(refused).rejects.toThrow(text);
}

describe('recover', () => {
  test('on a fresh store starts after the rows of the relations', async () => {
    const trainer = new StandInTrainer();
    const { head, index, outbox, erasedAt } = await recovered(graph(), trainer);
    expect([head, index.nextRow, index.size, outbox, erasedAt.size]).toEqual([undefined, 4, 0, [], 0]);
    expect([trainer.loadedRows, trainer.loadedEdges, trainer.started]).toEqual([[], [], 'fresh']);
  });

  test('hands the trainer every row in its place, unused rows too, and the live edges', async () => {
    const store = graph();
    await store.commit(
      commitOf({
        // Row 5 was erased; 9 is handed out and holds nothing.
        head: { ...HEAD, rows: 10, step: 77, random: [8, 9] },
        entities: [entity(user('a'), 6, { updates: 2 }), entity(tweet('t'), 7), entity(user('b'), 4)],
        edges: [follows('a', 'b'), follows('b', 'a', true), follows('x', 'y', true)],
        vectors: { 0: [1, 1, 1, 0], 4: [4, 4, 4, 0], 6: [6, 6, 6, 0.5], 7: [7, 7, 7, 0] },
        erasures: [{ key: user('gone'), at: 44 }],
        outboxAdded: [part(7, user('b'), user('gone')), part(10, user('b'))],
      }),
    );
    const trainer = new StandInTrainer();
    const { index, outbox, erasedAt, head } = await recovered(store, trainer);
    expect(trainer.loadedRows).toHaveLength(1);
    const [loaded] = trainer.loadedRows;
    expect([...(loaded?.types ?? [])]).toEqual([255, 255, 255, 255, 0, 255, 0, 1, 255, 255]);
    expect([...(loaded?.trained ?? [])]).toEqual([0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    const row = (i: number) => [...(loaded?.floats.subarray(4 * i, 4 * i + 4) ?? [])];
    expect([0, 1, 4, 5, 6, 7, 9].map(row)).toEqual([
      [1, 1, 1, 0],
      [0, 0, 0, 0],
      [4, 4, 4, 0],
      [0, 0, 0, 0],
      [6, 6, 6, 0.5],
      [7, 7, 7, 0],
      [0, 0, 0, 0],
    ]);
    expect(trainer.loadedEdges.map(({ lhs, relation, rhs }) => [[...lhs], [...relation], [...rhs]])).toEqual([
      [[6], [0], [4]],
    ]);
    expect(trainer.started).toEqual({ step: 77, random: [8, 9] });
    expect([index.nextRow, index.find(user('a')), recordOf(index, 6)?.updates]).toEqual([10, 6, 2]);
    expect(outbox).toEqual([part(7, user('b'), user('gone')), part(10, user('b'))]);
    expect([...erasedAt]).toEqual([[store.erasedName(user('gone')), 44]]);
    expect(head?.step).toBe(77);
  });

  test('hands the trainer the same from an image of the store, and ignores an image of another head', async () => {
    const store = graph();
    await store.commit(
      commitOf({
        head: { ...HEAD, rows: 9, entities: { user: 1, tweet: 1 }, edges: { follows: 1 } },
        entities: [entity(user('a'), 6, { updates: 2 }), entity(tweet('t'), 7)],
        edges: [follows('a', 'a')],
        vectors: { 0: [1, 1, 1, 0], 6: [6, 6, 6, 0.5], 7: [7, 7, 7, 0] },
        outboxAdded: [part(7, user('a'))],
      }),
    );
    const [plain, quick, other] = [new StandInTrainer(), new StandInTrainer(), new StandInTrainer()];
    const { index, uncounted } = await recovered(store, plain);
    const image = new MemoryImage();
    async function* blocks(): AsyncIterable<ImageBlock> {
      for (const [first, count] of [[0, 7] as const, [7, 2] as const]) {
        const floats = plain.loadedRows[0]!.floats.slice(4 * first, 4 * (first + count));
        const edges = first === 0 ? plain.loadedEdges[0]! : { lhs: NONE, relation: NONE, rhs: NONE };
        const rows = Array.from({ length: count }, (_, i) => first + i);
        yield { floats, edges, entities: packEntities(index, rows) };
      }
    }
    await image.write((await store.headBytes())!, blocks());
    const loaded = await recovered(store, quick, { image });
    const whole = (trainer: StandInTrainer) =>
      trainer.loadedRows.flatMap(({ types, trained, floats }) =>
        [...types].map((type, i) => [type, trained[i], ...floats.subarray(4 * i, 4 * i + 4)]),
      );
    expect(whole(quick)).toEqual(whole(plain));
    expect(whole(quick)[6]).toEqual([0, 1, 6, 6, 6, 0.5]);
    expect(quick.loadedEdges[0]).toEqual(plain.loadedEdges[0]);
    expect([quick.started, loaded.outbox, loaded.head?.step]).toEqual([
      plain.started,
      [part(7, user('a'))],
      HEAD.step,
    ]);
    expect([6, 7].map((row) => recordOf(loaded.index, row))).toEqual(
      [6, 7].map((row) => recordOf(index, row)),
    );
    expect(loaded.took).toEqual({ imageMs: 0 });
    const view = new GraphStore(store.entries, store.layout);
    const viewed = await recovered(store, new StandInTrainer(), { image, view });
    expect([uncounted, loaded.uncounted, viewed.uncounted]).toEqual([false, false, true]);
    await store.commit(
      commitOf({
        head: { ...HEAD, step: 999, rows: 9, entities: {}, edges: {} },
        outboxAdded: [part(8, user('a'))],
      }),
    );
    await recovered(store, other, { image });
    expect([image.asked.at(-1), other.loadedRows.length]).toEqual([false, 1]);
  });

  test('refuses a store of another format, and says what to do', async () => {
    const store = graph();
    await store.commit(commitOf({}));
    await put(store, 'm', Buffer.from(JSON.stringify({ ...HEAD, format: 1 })));
    const message = /has format 1, and .* reads format 2 alone: replay the topics/;
    await expectRefused(recovered(store), 'store-format', message);
  });

  test('refuses a store that has lost entries, even if RocksDB notices nothing', async () => {
    const whole = { entities: { user: 2, tweet: 1 }, edges: { follows: 1 }, outbox: 1, outboxParts: 1 };
    const holding = async (counts: object) => {
      const store = graph();
      await store.commit(
        commitOf({
          head: { ...HEAD, ...whole, ...counts },
          entities: [entity(user('a'), 4), entity(user('b'), 5), entity(tweet('t'), 6)],
          edges: [follows('a', 'b'), follows('b', 'a', true)],
          outboxAdded: [part(1, user('a'), user('b'))],
        }),
      );
      return store;
    };
    await recovered(await holding({}));
    await recovered(await holding({ entities: {}, edges: {}, outbox: 0, outboxParts: 0 }));
    for (const [counts, message] of [
      [{ entities: { user: 2, tweet: 2 } }, '1 entities (tweet), and its head counts 2'],
      [{ edges: { follows: 1, likes: 1 } }, '0 live edges (likes), and its head counts 1'],
      [{ outbox: 3 }, '2 vectors to publish, and its head counts 3'],
      [{ outboxParts: 2 }, '1 parts of the outbox, and its head counts 2'],
    ] as const) {
      await expectRefused(recovered(await holding(counts)), 'store-damaged', message);
    }
    const headless = await holding({});
    const batch = new WriteBatch();
    batch.delete(headless.layout.headKey());
    await headless.entries.write(batch);
    await expectRefused(recovered(headless), 'store-damaged', 'it holds user:a, but no head');
  });

  test('hands over rows in portions, and edges once all rows are taken in, however long that takes', async () => {
    const store = graph();
    await store.commit(
      commitOf({
        head: { ...HEAD, rows: 9_000, entities: { user: 2 }, edges: { follows: 1 }, outbox: 0 },
        entities: [entity(user('a'), 4), entity(user('b'), 8_999)],
        edges: [follows('a', 'b')],
        vectors: { 4: [4, 4, 4, 0], 8999: [9, 9, 9, 0] },
      }),
    );
    const done: string[] = [];
    const trainer = new StandInTrainer();
    const slowly: StandInTrainer = Object.assign(trainer, {
      loadRows: async ({ types, floats }: LoadedRows) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        done.push(`${types.length} rows, the last ${types.at(-1)} ${floats.at(-4)}`);
      },
      loadEdges: async ({ lhs }: { lhs: Int32Array }) => void done.push(`${lhs.length} edges`),
    });
    const { took } = await recover(store, slowly, 'test', MODEL, () => done.length);
    expect(done).toEqual([
      ...['4096 rows, the last 255 0', '4096 rows, the last 255 0'],
      ...['808 rows, the last 0 9', '1 edges'],
    ]);
    expect(took).toEqual({ entitiesMs: 0, rowsAndEdgesMs: 4 });
  });

  test('refuses the store of another graph and of another model, saying what differs', async () => {
    const store = graph();
    await store.commit(commitOf({}));
    const trainer = new StandInTrainer();
    await expectRefused(
      recover(store, trainer, 'other', MODEL, clock),
      'store-graph',
      'the store holds the graph test, not other; give its folder',
    );
    const model = { ...MODEL, dim: 3, scorer: 'twhin', relations: MODEL.relations.slice(0, 1) };
    await expectRefused(
      recover(store, trainer, 'test', model, clock),
      'store-model',
      /dim: the store has 2, the configuration 3\n.*scorer: .*\n.*relations: the store has follows \(user → user\), likes \(user → tweet\), the configuration follows \(user → user\)\n/,
    );
    expect(trainer.started).toBeUndefined();
  });

  const shardHead = (index: number, count: number) => ({
    ...{ index, count, run: 'r', trained: 9, received: {}, edges: {}, entities: {} },
  });
  const shardOfTest = (index: number, count: number) => ({ graph: 'test', index, count });

  test.each([
    ['shard 1 of 3', shardHead(1, 3), 'shard 2 of 3', shardOfTest(2, 3)],
    ['shard 1 of 3', shardHead(1, 3), 'shard 1 of 4', shardOfTest(1, 4)],
    ['shard 0 of 3', shardHead(0, 3), 'a whole graph', undefined],
    ['a whole graph', undefined, 'shard 0 of 1', shardOfTest(0, 1)],
  ])('refuses the store of %s where it is to be %s', async (there, stored, wanted, shard) => {
    const store = graph();
    await store.commit(commitOf({ head: { ...HEAD, shard: stored } }));
    const trainer = new StandInTrainer();
    const message = `holds ${there}, and the configuration asks for ${wanted}`;
    await expectRefused(recovered(store, trainer, { shard }), 'store-graph', message);
    expect(trainer.started).toBeUndefined();
  });

  test('hands the trainer of a shard the edges that it trains', async () => {
    const store = graph();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => user(name));
    const isOwn = (key: EntityKey) => shardOf(key, 3) === 1;
    const [own] = names.filter(isOwn);
    const copies = names.filter((key) => !isOwn(key));
    // Shard 1 of three trains its edges with shard 2, and shard 0 those with shard 1.
    const other = copies.find((key) => shardOf(key, 3) === 0)!;
    expect(shardOf(copies[0]!, 3)).toBe(2);
    const follow = (lhs: EntityKey, rhs: EntityKey) => ({
      lhs,
      relation: 'follows',
      rhs,
      at: 1,
      removed: false,
    });
    await store.commit(
      commitOf({
        head: {
          ...HEAD,
          ...{ rows: 12, entities: { user: 7 }, edges: { follows: 3 }, outbox: 0, shard: shardHead(1, 3) },
        },
        entities: names.map((key, i) => entity(key, 5 + i)),
        edges: [follow(own!, copies[0]!), follow(own!, other), follow(other, own!)],
      }),
    );
    const trainer = new StandInTrainer();
    const shard = shardOfTest(1, 3);
    const pace = { mergeEdges: 1, mergeMs: 1, quietMs: 1, wantMs: 1 };
    const neighbourhood = new ShardNeighbourhood({ shard, topic: 'exchange', pace, freshRun: 'run' });
    await recovered(store, trainer, { shard, neighbourhood });
    const row = 5 + names.indexOf(copies[0]!);
    expect(trainer.loadedEdges.flatMap(({ rhs }) => [...rhs])).toEqual([row]);
  });

  test('a row past the end, and an edge to an unknown entity, are told as damage', async () => {
    const past = graph();
    await past.commit(commitOf({ head: { ...HEAD, rows: 4 }, vectors: { 4: [1, 1, 1, 0] } }));
    await expectRefused(
      recovered(past),
      'store-damaged',
      'the store holds row 4, but its head counts 4 rows',
    );
    const nobody = graph();
    await nobody.commit(commitOf({ entities: [entity(user('a'), 4)], edges: [follows('a', 'nobody')] }));
    await expectRefused(recovered(nobody), 'store-damaged', 'user:nobody');
  });
});
