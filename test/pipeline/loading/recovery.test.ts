import { describe, expect, test } from 'vitest';
import { type Commit, GraphStore } from '../../../src/graph/graph-store.ts';
import type { Head } from '../../../src/graph/head.ts';
import { Layout } from '../../../src/graph/layout.ts';
import { WriteBatch } from '../../../src/graph/write-batch.ts';
import { type RecoveryOptions, recover, relationsSum } from '../../../src/pipeline/loading/recovery.ts';
import { encodeJournal, packBatch } from '../../../src/pipeline/training/batch-codec.ts';
import { localTrainer } from '../../../src/pipeline/training/local-trainer.ts';
import type { Trainer, TrainerSettings } from '../../../src/pipeline/training/trainer.ts';
import { put } from '../../graph/check/check-fixture.ts';
import {
  asyncOf,
  blockOf,
  checkpointHead,
  commitOf,
  commitRows,
  entity,
  graph,
  HEAD,
  MODEL,
  recordOf,
  tweet,
  user,
} from '../../graph/graph-fixture.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { NO_LIMITS, reportOf, StandInTrainer } from '../training/stand-in-trainer.ts';
import {
  batchOf,
  blocksOf,
  DUE,
  FIRST_ENTITY,
  kernels,
  saidBy,
  settings,
  triples,
  World,
} from '../training/trainer-fixture.ts';
import { turns } from '../updater-fixture.ts';

const follows = (lhs: string, rhs: string, removed = false) => ({
  lhs: user(lhs),
  relation: 'follows',
  rhs: user(rhs),
  at: 5,
  removed,
});

const clock = () => 0;
/** Recovers the graph `test`. */
const recovering = (
  store: GraphStore,
  trainer: Trainer = new StandInTrainer(),
  options: RecoveryOptions = {},
) => recover(store, trainer, 'test', MODEL, clock, options);

/** The same once its journal is trained. */
async function recovered(...given: Parameters<typeof recovering>) {
  const loaded = await recovering(...given);
  return { ...loaded, ...(await loaded.trained) };
}

/** That it is refused, by a code and some of the text. */
async function expectRefused(refused: Promise<unknown>, code: string, text: string | RegExp): Promise<void> {
  await expect(refused).rejects.toMatchObject({ name: 'FatalError', code });
  await expect(refused).rejects.toThrow(text);
}

/** Where a stand-in stands, whatever it was given. */
const STANDING = { step: 1, random: [5, 6], relations: 0 };

/** A store whose checkpoint is of commit 3, and that has so many commits after it, of a batch and a name each. */
async function withJournal({
  commits = 2,
  head = {},
}: {
  readonly commits?: number;
  readonly head?: Partial<Head>;
} = {}) {
  const store = graph();
  const made = { ...HEAD, ...STANDING, rows: 8, entities: { user: 2 }, checkpoint: 3 };
  const block = {
    ...blockOf(store.layout, { 4: [4, 4, 4, 0], 7: [7, 7, 7, 0] }),
    edges: triples([[4, 0, 5]]),
  };
  await store.checkpoints.write({ commit: 3, step: 70, random: [8, 9] }, asyncOf(block));
  const commit = (number: number, rest: Partial<Commit> = {}) =>
    store.commit({ head: { ...made, commit: number, ...(number === 3 + commits && head) }, ...rest });
  await commit(3, { entities: [entity(user('a'), 4), entity(user('b'), 5)] });
  for (let i = 1; i <= commits; i++) {
    const batches = [batchOf({ newTypes: [0], edges: [[4, 1, 7 + i]] }), batchOf({ reset: [i] })];
    const names = [user('a'), user(`gone${i}`)];
    await commit(3 + i, {
      journal: encodeJournal(batches.map(packBatch), names, Int32Array.of(5, 6 + i), 2 + i),
    });
  }
  return { store, block };
}

const shardHead = (index: number, count: number) => ({
  ...{ index, count, run: 'r', trained: 9, sent: 0, received: {}, edges: {}, entities: {} },
});
const shardOfTest = (index: number, count: number) => ({ graph: 'test', index, count });

describe('recover', () => {
  test('on a fresh store starts after the rows of the relations', async () => {
    const trainer = new StandInTrainer();
    const { head, index, due, strayed, lacksEdges, erasedAt } = await recovered(graph(), trainer);
    expect([head, index.nextRow, index.size, erasedAt.size]).toEqual([undefined, 4, 0, 0]);
    expect([due, strayed, lacksEdges]).toEqual([[], false, false]);
    expect([trainer.loaded, trainer.loadedEdges, trainer.started]).toEqual([[], [], 'fresh']);
  });

  test('brings back index, erasures and the checkpoint, and the live edges that a command left out of it', async () => {
    const store = graph();
    const vectors = { 0: [1, 1, 1, 0], 4: [4, 4, 4, 0], 6: [6, 6, 6, 0.5], 9: [0, 0, 0, 0] };
    await commitRows(store, {
      // Row 5 was erased; 9 is handed out and holds nothing.
      head: { ...HEAD, rows: 10, step: 77, random: [8, 9] },
      entities: [entity(user('a'), 6, { updates: 2 }), entity(tweet('t'), 7), entity(user('b'), 4)],
      edges: [follows('a', 'b'), follows('b', 'a', true), follows('x', 'y', true)],
      vectors,
      erasures: [{ key: user('gone'), at: 44 }],
    });
    const trainer = new StandInTrainer();
    const { index, erasedAt, head, lacksEdges, strayed, absent, took, edges } = await recovered(
      store,
      trainer,
    );
    const entities = [entity(user('a'), 6), entity(tweet('t'), 7), entity(user('b'), 4)];
    expect(trainer.loaded).toEqual([blockOf(store.layout, vectors, entities)]);
    expect(trainer.loadedEdges).toEqual([triples([[6, 0, 4]])]);
    expect(lacksEdges).toBe(true);
    expect(trainer.started).toEqual({ step: 77, random: [8, 9] });
    expect([index.nextRow, index.find(user('a')), recordOf(index, 6)?.updates]).toEqual([10, 6, 2]);
    expect([...erasedAt]).toEqual([[store.erasedName(user('gone')), 44]]);
    expect([head?.step, strayed, absent.length]).toEqual([77, false, 0]);
    expect([took, edges]).toEqual([{ entitiesMs: 0, checkpointMs: 0 }, 0]);
    // It stands elsewhere, and nothing was trained again.
    expect(trainer.republished).toEqual([]);
  });

  test('starts from the checkpoint with the edges of its time, and trains the journal after it in order', async () => {
    const { store, block } = await withJournal({ commits: 3, head: { acknowledged: 5 } });
    // Live as of the last commit.
    await store.commit({ ...commitOf({ edges: [follows('b', 'a')] }), head: (await store.head())! });
    const trainer = new StandInTrainer();
    const order: string[] = [];
    for (const name of ['load', 'start', 'train', 'gave'] as const) {
      const own: Trainer[typeof name] = trainer[name].bind(trainer);
      Object.assign(trainer, {
        [name]: (...given: never[]) => {
          order.push(name);
          return Reflect.apply(own, trainer, given);
        },
      });
    }
    const { due, strayed, lacksEdges, head, edges } = await recovered(store, trainer);
    const trained = ['train', 'train', 'gave'];
    expect(order).toEqual(['load', 'start', ...trained, ...trained, 'train', 'train']);
    // By commits 3, 4 and 5: what was published by the checkpoint's commit is published.
    expect(trainer.given).toEqual([
      [true, 5, 8],
      [false, 5, 9],
    ]);
    expect(trainer.loaded).toEqual([block]);
    expect(trainer.loadedEdges).toEqual([triples([[4, 0, 5]])]);
    expect(trainer.started).toEqual({ step: 70, random: [8, 9] });
    expect(trainer.trained.map(({ numbers }) => saidBy(numbers))).toMatchObject([
      { newTypes: [0], trained: ['4 1 8'] },
      { reset: [1] },
      { newTypes: [0], trained: ['4 1 9'] },
      { reset: [2] },
      { newTypes: [0], trained: ['4 1 10'] },
      { reset: [3] },
    ]);
    // Each name once, whether or not it is an entity's, but for what is acknowledged.
    expect(due).toEqual([user('a'), user('gone2'), user('gone3')]);
    expect([strayed, lacksEdges, head?.commit]).toEqual([false, false, 6]);
    expect(edges).toBe(6);
  });

  test('gives the trainer two batches of the journal at a time, so that memory holds few', async () => {
    const trainer = new StandInTrainer();
    let [atOnce, most] = [0, 0];
    trainer.train = async () => {
      most = Math.max(most, ++atOnce);
      await new Promise(setImmediate);
      atOnce--;
      return reportOf({});
    };
    await recovered((await withJournal({ commits: 5 })).store, trainer);
    expect([most, atOnce]).toEqual([2, 0]);
  });

  test.each([
    ['step', { step: 40 }, 40],
    ['random state', { random: [5, 7] }, 1],
    ['relation vectors', { relations: 3 }, 1],
  ])(
    'where the journal leads to another %s, all that it moved and all that was published is published again',
    async (_, head, step) => {
      const trainer = new StandInTrainer();
      const { strayed } = await recovered((await withJournal({ head })).store, trainer);
      expect([strayed, trainer.republished]).toEqual([true, [{ step, rows: Int32Array.of(5, 7, 8) }]]);
    },
  );

  test('is compared where the head knew of the training last: nothing was published of what is trained beyond', async () => {
    for (const [trained, strayed] of [
      [3, false],
      [4, false],
      [5, true],
    ] as const) {
      const trainer = new StandInTrainer();
      // It stands elsewhere from its third batch on.
      const before = trainer.state.bind(trainer);
      trainer.state = async () => ({ ...(await before()), step: trainer.trained.length > 2 ? 9 : 1 });
      const { store } = await withJournal({ head: { trained } });
      expect([trained, (await recovered(store, trainer)).strayed]).toEqual([trained, strayed]);
      expect(trainer.republished).toHaveLength(strayed ? 1 : 0);
    }
  });

  test('removes checkpoints that no head names', async () => {
    const { store, block } = await withJournal({ commits: 1 });
    await store.checkpoints.write({ ...checkpointHead(HEAD), commit: 9 }, asyncOf(block));
    const { index } = await recovered(new GraphStore(store.entries, store.layout));
    await expect(store.checkpoints.open(9)).rejects.toThrow();
    expect([index.keyAt(4), index.keyAt(5), index.nextRow]).toEqual([user('a'), user('b'), 8]);
  });

  test('refuses a journal that lacks a commit, wherever, and an entry of another version', async () => {
    const without = async (commit: number) => {
      const { store } = await withJournal({ commits: 3 });
      const batch = new WriteBatch();
      batch.delete(store.layout.journalKey(commit));
      await store.entries.write(batch);
      return store;
    };
    for (const [commit, message] of [
      [4, 'its journal has 5 in place of 4'],
      [5, 'its journal has 6 in place of 5'],
      [6, 'its journal ends at 5, its head is 6'],
    ] as const)
      await expectRefused(recovered(await without(commit)), 'store-damaged', message);
    const other = await without(6);
    const batch = new WriteBatch();
    batch.put(other.layout.journalKey(6), Buffer.concat([Buffer.of(9), encodeJournal([], []).subarray(1)]));
    await other.entries.write(batch);
    await expectRefused(recovered(other), 'store-damaged', 'its format is 9');
  });

  test('trains no journal on a checkpoint without edges, but takes one that names entities alone', async () => {
    const { store, block } = await withJournal();
    const { edges: _, ...rows } = block;
    await store.checkpoints.write({ commit: 3, ...STANDING }, asyncOf(rows));
    await expectRefused(
      recovered(store),
      'store-damaged',
      'its checkpoint has no edges, and its journal trains',
    );
    const batch = new WriteBatch();
    batch.put(store.layout.journalKey(4), encodeJournal([], [user('a')]));
    batch.put(store.layout.journalKey(5), encodeJournal([], [user('gone')]));
    await store.entries.write(batch);
    const { due, lacksEdges, strayed } = await recovered(store);
    expect([due, lacksEdges, strayed]).toEqual([[user('a'), user('gone')], true, false]);
  });

  test('refuses a checkpoint of another store with the same number, where no training would tell', async () => {
    const stands = { step: 70, random: [8, 9] };
    const standing = async (head: Partial<Head>, due = false) => {
      const { store } = await withJournal({ commits: due ? 1 : 0, head: { ...stands, ...head } });
      if (due) await put(store, 'j0000000000000004', encodeJournal([], [user('a')]));
      return recovered(store);
    };
    for (const due of [false, true]) {
      expect(await standing({}, due)).toMatchObject({ edges: 0, strayed: due });
      for (const other of [
        { step: 71, random: [8, 9] },
        { step: 70, random: [8, 8] },
      ]) {
        const is = `step ${other.step}, random ${other.random}`;
        const message = `its checkpoint is another store's, of step 70, random 8,9; the head is of ${is}`;
        await expectRefused(standing(other, due), 'store-damaged', message);
      }
    }
  });

  test('refuses a store of another format, and says what to do', async () => {
    const store = graph();
    await store.commit(commitOf({}));
    await put(store, 'm', Buffer.from(JSON.stringify({ ...HEAD, format: 4 })));
    const message =
      /has format 4, and .* reads format 6 alone: replay the topics .* twhin restore --from-topic/;
    await expectRefused(recovered(store), 'store-format', message);
  });

  test('refuses a store that has lost entities, even if RocksDB notices nothing; more than are counted are no loss', async () => {
    const holding = async (entities: Record<string, number>) => {
      const store = graph();
      await store.commit(
        commitOf({
          head: { ...HEAD, entities },
          entities: [entity(user('a'), 4), entity(user('b'), 5), entity(tweet('t'), 6)],
        }),
      );
      return store;
    };
    await recovered(await holding({ user: 2, tweet: 1 }));
    await recovered(await holding({ user: 1 }));
    const message = '1 entities (tweet), and its head counts 2';
    await expectRefused(recovered(await holding({ user: 2, tweet: 2 })), 'store-damaged', message);
    const headless = await holding({});
    const batch = new WriteBatch();
    batch.delete(headless.layout.headKey());
    await headless.entries.write(batch);
    await expectRefused(recovered(headless), 'store-damaged', 'it holds user:a, but no head');
  });

  test('is through before a journal is trained: what the trainer is asked then comes after that. A shard waits for it', async () => {
    const shard = shardOfTest(0, 2);
    for (const head of [{ edges: { follows: 7 } }, { shard: shardHead(0, 2) }]) {
      const [trainer, gate, order] = [new StandInTrainer(), Promise.withResolvers<void>(), [] as string[]];
      trainer.train = () => gate.promise.then(() => reportOf({ edges: order.push('batch') }));
      trainer.vectors = async () => new Float32Array(order.push('vectors'));
      const { store } = await withJournal({ head });
      const recovery = recovering(store, trainer, 'shard' in head ? { shard } : {});
      const asked = recovery.then(async ({ head, trainer, limits }) => {
        order.push('recovered');
        // What is committed meanwhile is not the journal's.
        await store.commit({ head: { ...head!, commit: 6 }, journal: encodeJournal([], []) });
        await trainer.vectors(Int32Array.of());
        return limits.liveEdges;
      });
      await turns(20);
      gate.resolve();
      const batches = ['batch', 'batch', 'batch', 'batch'];
      expect([await asked, order]).toEqual(
        'shard' in head
          ? [NO_LIMITS.liveEdges, [...batches, 'recovered', 'vectors']]
          : [7, ['recovered', ...batches, 'vectors']],
      );
    }
  });

  test('fails of lost entities before its journal is trained', async () => {
    const { store } = await withJournal({ head: { entities: { user: 3 } } });
    const trainer = new StandInTrainer();
    const message = '2 entities (user), and its head counts 3';
    await expectRefused(recovering(store, trainer), 'store-damaged', message);
    expect(trainer.trained).toEqual([]);
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
});

describe('a journal', () => {
  const model = {
    dim: settings.model.dim,
    scorer: settings.model.scorer,
    entityTypes: [...settings.entityTypes],
    relations: settings.relations.map(({ name }) => ({ name, lhs: 'user', rhs: 'tweet' })),
  };

  /** What six commits of two batches each leave, with the checkpoint of one of them, and the trainer that made them. */
  async function trained(checkpoint: number, seed = 1) {
    const store = new GraphStore(new MemoryStore(), new Layout(model));
    const trainer = localTrainer(settings, kernels);
    await trainer.start(undefined);
    const world = new World(seed);
    /** By commit: the rows that were due. */
    const given: Int32Array[] = [];
    for (let commit = 1; commit <= 6; commit++) {
      const batches = [world.next(), world.next()];
      const journal = encodeJournal(batches.map(packBatch), [], given[commit - 1], commit - 1);
      for (const batch of batches) await trainer.train(batch);
      const due = await trainer.due(DUE);
      given[commit] = due.rows;
      world.commit();
      const { step } = due;
      const random = [...due.random];
      const blocks = await blocksOf(trainer);
      if (commit === checkpoint) await store.checkpoints.write({ commit, step, random }, asyncOf(...blocks));
      const now = {
        commit,
        step,
        random,
        relations: relationsSum(due),
        checkpoint: Math.min(commit, checkpoint),
      };
      if (commit < checkpoint) now.checkpoint = 0;
      const head = { ...HEAD, model, rows: world.types.length, entities: {}, edges: {}, ...now };
      const outdated = commit === checkpoint ? Array.from({ length: commit }, (_, i) => i + 1) : [];
      await store.commit({ head, outdated, ...(commit !== checkpoint && { journal }) });
    }
    return { store, trainer, world, given };
  }

  const again = async (store: GraphStore, chosen: Partial<TrainerSettings> = {}) => {
    const trainer = localTrainer({ ...settings, ...chosen }, kernels);
    const { trained, ...loaded } = await recover(store, trainer, 'test', model, clock);
    return { ...loaded, ...(await trained) };
  };

  test('that is trained with other settings strays, and every vector that it moved is due, under a higher step', async () => {
    const { store, world, given } = await trained(4);
    const published = new Set([...given[4]!, ...given[5]!]);
    const blocks = await Array.fromAsync((await store.checkpoint())!.blocks());
    const before = blocks.flatMap(({ floats }) => [...floats]);
    for (const chosen of [
      { model: { ...settings.model, learningRate: 0.05 } },
      { uniformNegatives: 6 },
      { chunkEdges: 40 },
    ]) {
      const { strayed, trainer, head } = await again(store, chosen);
      expect(strayed).toBe(true);
      const due = await trainer.due({ ...DUE, epsilon: Number.MAX_VALUE });
      expect(due.step).toBeGreaterThan(head!.step);
      const vectors = await trainer.vectors(Int32Array.from(world.types.keys()));
      const moved = [...world.types.keys()].filter((row) => {
        const was = before.slice(8 * row, 8 * row + 6);
        const now = [...vectors.subarray(6 * row, 6 * row + 6)];
        return (
          row >= FIRST_ENTITY && world.types[row] !== 255 && (published.has(row) || now.join() !== was.join())
        );
      });
      expect(moved.length).toBeGreaterThan(20);
      expect([...due.rows]).toEqual(moved);
    }
  });

  test('leaves due what is due of the trainer before, and what that gave and is not acknowledged', async () => {
    const { store, trainer, world, given } = await trained(2);
    const journal = encodeJournal([], [], given[6], 6);
    const head = { ...(await store.head())!, commit: 7, trained: 6 };
    const next = world.next();
    const dueAfter = async (of: Trainer) => {
      await of.train(next);
      return [...(await of.due(DUE)).rows];
    };
    const expected = await dueAfter(trainer);
    for (const [acknowledged, more] of [
      [7, []],
      [5, [...given[5]!, ...given[6]!]],
    ] as const) {
      await store.commit({ head: { ...head, acknowledged }, journal });
      const { trainer: other, strayed } = await again(store);
      const all = new Set([...expected, ...more.filter((row) => world.types[row] !== 255)]);
      expect([strayed, await dueAfter(other)]).toEqual([false, [...all].sort((one, two) => one - two)]);
    }
    expect(expected.length).toBeLessThan(given[5]!.length + given[6]!.length);
  });

  test('without a checkpoint strays where the seed is another; with one, its random state counts', async () => {
    const fresh = await again((await trained(0)).store, { seed: 43 });
    expect(fresh.strayed).toBe(true);
    expect((await again((await trained(1)).store, { seed: 43 })).strayed).toBe(false);
  });
});
