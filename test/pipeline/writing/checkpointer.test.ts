import { describe, expect, test, vi } from 'vitest';
import type { CheckpointBlock, Checkpoints } from '../../../src/graph/checkpoint.ts';
import { GraphStore } from '../../../src/graph/graph-store.ts';
import type { Head } from '../../../src/graph/head.ts';
import { Layout } from '../../../src/graph/layout.ts';
import { decodeJournal, encodeJournal } from '../../../src/pipeline/training/batch-codec.ts';
import { Checkpointer } from '../../../src/pipeline/writing/checkpointer.ts';
import { portWith } from '../../fixtures/port.ts';
import { HEAD, MODEL, user } from '../../graph/graph-fixture.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { keptLog } from '../faulty-sink.ts';
import { StandInTrainer } from '../training/stand-in-trainer.ts';
import { triples } from '../training/trainer-fixture.ts';
import { turns } from '../updater-fixture.ts';

const RECOVER_MS = 15_000;
/** Nothing is waited for. */
const ALL = Number.POSITIVE_INFINITY;

/** Everything is acknowledged. */
const ALL_SENT = Promise.resolve(true);

/** Two rows, each number the row's own. */
function blockAt(first: number): CheckpointBlock {
  const rows = [first, first + 1];
  return {
    types: Uint8Array.of(0, 0),
    trained: Uint8Array.of(1, 0),
    floats: Float32Array.from(rows.flatMap((row) => [row, row, row, 0])),
    edges: triples([[first, 0, first + 1]]),
  };
}

/**
 * A checkpointer on a store whose head of commit 3 names the checkpoint of that commit, and a trainer with four rows.
 * write, sync: what the disk does before it does as it is told.
 */
async function setUp({
  named = 3,
  commit = 3,
  write = async (blocks) => blocks,
  sync = async () => undefined,
}: {
  readonly named?: number;
  readonly commit?: number;
  readonly write?: (blocks: AsyncIterable<CheckpointBlock>) => Promise<AsyncIterable<CheckpointBlock>>;
  readonly sync?: () => Promise<void>;
} = {}) {
  const kept = new MemoryStore();
  const { checkpoints } = kept;
  const headOf = (commit: number, checkpoint = named): Head => ({ ...HEAD, rows: 4, commit, checkpoint });
  const faulty: Checkpoints = portWith<Checkpoints>(checkpoints, {
    write: async (head, blocks) => checkpoints.write(head, await write(blocks)),
  });
  const store = new GraphStore(portWith(kept, { sync, checkpointsOf: () => faulty }), new Layout(MODEL));
  checkpoints.written.set(named, { head: headOf(3), blocks: [] });
  await store.commit({ head: headOf(3) });
  const trainer = new StandInTrainer();
  trainer.blocks = [blockAt(0), blockAt(2)];
  const log = keptLog();
  const now = { ms: 1_000_000 };
  const checkpointer = new Checkpointer(
    { graph: 'test', store, trainer, tuning: { recoverMs: RECOVER_MS }, log, clock: () => now.ms },
    headOf(commit),
  );
  /** Commits whose checkpoints are there. */
  const there = () => [...checkpoints.written.keys()];
  /** Takes one from its begin until it is whole. */
  const taken = async (commit: number, busyMs = 0) => {
    checkpointer.begin(busyMs);
    checkpointer.write(headOf(commit));
    await checkpointer.settled();
  };
  const said = () => log.lines.map(({ message }) => message);
  return { store, checkpoints, trainer, log, now, checkpointer, headOf, there, taken, said };
}

/** Stops the reading of blocks before the one with this number until it is let go. */
function gateAt(number: number) {
  const [reached, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  async function* gated(blocks: AsyncIterable<CheckpointBlock>) {
    let i = 0;
    for await (const block of blocks) {
      if (i++ === number) {
        reached.resolve();
        await open.promise;
      }
      yield block;
    }
  }
  return { write: async (blocks: AsyncIterable<CheckpointBlock>) => gated(blocks), reached, open };
}

describe('when a checkpoint is due', () => {
  test('after so much work of the trainer since the last began', async () => {
    const { checkpointer, taken } = await setUp();
    expect([RECOVER_MS - 1, RECOVER_MS].map((busy) => checkpointer.isDue(busy, 4))).toEqual([false, true]);
    await taken(4, RECOVER_MS + 500);
    checkpointer.wrote(4);
    const after = [2 * RECOVER_MS + 499, 2 * RECOVER_MS + 500];
    expect(after.map((busy) => checkpointer.isDue(busy, 4))).toEqual([false, true]);
  });

  test('though no record comes, where something was trained since the last, or is in the journal alone', async () => {
    const { checkpointer, now, taken } = await setUp();
    now.ms += 10_000;
    expect([0, 1].map((busy) => checkpointer.isOwed(busy, 4))).toEqual([false, true]);
    await taken(4, 1);
    checkpointer.wrote(4);
    now.ms += 10_000;
    expect([1, 2].map((busy) => checkpointer.isOwed(busy, 4))).toEqual([false, true]);
    const killed = await setUp({ commit: 4 });
    killed.now.ms += 10_000;
    expect(killed.checkpointer.isOwed(0, 4)).toBe(true);
  });

  test('at an age, though little was trained: later for a large table, sooner for the first of a store', async () => {
    const dueAfter = async (ms: number, { rows = 4, named = 3 } = {}) => {
      const { checkpointer, now } = await setUp({ named });
      now.ms += ms;
      return checkpointer.isDue(1, rows);
    };
    expect([await dueAfter(9_999), await dueAfter(10_000)]).toEqual([false, true]);
    // A clock that is set back holds up none.
    expect(await dueAfter(-10_000)).toBe(true);
    // Rows of 18 bytes, of which a million are written a second.
    const large = { rows: 1_000_000 };
    expect([await dueAfter(17_999, large), await dueAfter(18_000, large)]).toEqual([false, true]);
    const first = { named: 0 };
    expect([await dueAfter(999, first), await dueAfter(1_000, first)]).toEqual([false, true]);
  });

  test('no sooner than 24 times as long after the last began as that took', async () => {
    const { write, reached, open } = gateAt(1);
    const { checkpointer, now, headOf } = await setUp({ write });
    now.ms += 30_000;
    checkpointer.begin(0);
    checkpointer.write(headOf(4));
    await reached.promise;
    now.ms += 4_000;
    open.resolve();
    await checkpointer.settled();
    checkpointer.wrote(4);
    now.ms += 91_999;
    expect(checkpointer.isDue(ALL, 4)).toBe(false);
    now.ms += 1;
    expect(checkpointer.isDue(ALL, 4)).toBe(true);
  });
});

test.each([
  ['beside the training, slices are asked for before they can be written', true, 0],
  ['where nothing is trained any more, two slices are asked for at a time', false, 4],
])('%s', async (_, isTraining, left) => {
  const { write, reached, open } = gateAt(0);
  const { checkpointer, checkpoints, trainer, headOf } = await setUp({ write });
  trainer.blocks = Array.from({ length: 6 }, (_, i) => blockAt(2 * i));
  const head = { ...headOf(4), rows: 12 };
  if (isTraining) {
    checkpointer.begin(0);
    checkpointer.write(head);
  }
  const settled = isTraining ? undefined : checkpointer.settle(head);
  await reached.promise;
  expect(trainer.taking.length).toBe(left);
  open.resolve();
  await settled;
  await checkpointer.settled();
  expect(checkpoints.written.get(4)?.blocks).toEqual(trainer.blocks);
});

describe('a checkpoint that was begun', () => {
  test('may be named once it is whole, all that was due by its commit is acknowledged, and other shards have their parcels; until then no other is due', async () => {
    const { write, reached, open } = gateAt(1);
    const { checkpointer, checkpoints, trainer, headOf } = await setUp({ write });
    const nameable = () => [3, 4, 5, ALL].map((oldest) => checkpointer.nameable(oldest));
    const isDue = () => checkpointer.isDue(ALL, 4);
    expect([isDue(), ...nameable()]).toEqual([true, 3, 3, 3, 3]);
    checkpointer.begin(0);
    expect(isDue()).toBe(false);
    const sent = Promise.withResolvers<void>();
    checkpointer.write(headOf(4), sent.promise);
    await reached.promise;
    expect([isDue(), ...nameable()]).toEqual([false, 3, 3, 3, 3]);
    open.resolve();
    await expect.poll(() => checkpoints.written.has(4)).toBe(true);
    await turns(5);
    expect([isDue(), ...nameable()]).toEqual([false, 3, 3, 3, 3]);
    sent.resolve();
    await checkpointer.settled();
    const { head, blocks } = checkpoints.written.get(4)!;
    expect(head).toMatchObject({ commit: 4, step: headOf(4).step, random: headOf(4).random });
    expect([trainer.snapshots, blocks]).toEqual([1, [blockAt(0), blockAt(2)]]);
    expect(trainer.spent).toEqual(blocks.map(({ floats }) => floats));
    // Of commit 4 itself, nothing may wait.
    expect([isDue(), ...nameable()]).toEqual([false, 3, 3, 4, 4]);
    // The head still names the one before.
    checkpointer.wrote(3);
    expect(isDue()).toBe(false);
    checkpointer.wrote(4);
    expect([checkpointer.named, isDue(), ...nameable()]).toEqual([4, true, 4, 4, 4, 4]);
  });

  test('replaces the one before once the head that names it survives a power loss', async () => {
    const safe = Promise.withResolvers<void>();
    const sync = async () => {
      await safe.promise;
      await turns(5);
    };
    const { checkpointer, taken, there } = await setUp({ sync });
    await taken(4);
    expect(there()).toEqual([3, 4]);
    checkpointer.wrote(4);
    await turns(10);
    expect(there()).toEqual([3, 4]);
    safe.resolve();
    await checkpointer.settled();
    expect(there()).toEqual([4]);
  });

  test('is as good where the one before can not be removed', async () => {
    const { checkpointer, taken, there, said } = await setUp({
      sync: () => Promise.reject(new Error('no disk')),
    });
    await taken(4);
    checkpointer.wrote(4);
    await checkpointer.settled();
    expect([checkpointer.named, there()]).toEqual([4, [3, 4]]);
    expect(said().at(-1)).toBe('a checkpoint that is not needed any more was not removed');
    expect(checkpointer.isDue(ALL, 4)).toBe(true);
  });

  const fails = async () => {
    throw new Error('no space left');
  };
  test.each([
    ['at once', fails],
    [
      'after a block',
      async (blocks: AsyncIterable<CheckpointBlock>) => {
        for await (const _ of blocks) return fails();
        return blocks;
      },
    ],
  ])(
    'and can not be written, %s, leaves the one before, ends its snapshot and is tried again later',
    async (_, write) => {
      let failing = true;
      const { checkpointer, trainer, taken, there, log } = await setUp({
        write: async (blocks) => (failing ? write(blocks) : blocks),
      });
      await taken(4, RECOVER_MS);
      expect(there()).toEqual([3]);
      expect(trainer.taking).toEqual([]);
      expect([checkpointer.named, checkpointer.nameable(ALL)]).toEqual([3, 3]);
      expect(log.lines).toEqual([
        {
          fields: { graph: 'test', reason: 'no space left' },
          message: 'a checkpoint could not be written: the next start takes longer',
        },
      ]);
      const busy = [2 * RECOVER_MS - 1, 2 * RECOVER_MS];
      expect(busy.map((busyMs) => checkpointer.isDue(busyMs, 4))).toEqual([false, true]);
      failing = false;
      await taken(6, 2 * RECOVER_MS);
      expect([there(), checkpointer.nameable(ALL)]).toEqual([[3, 6], 6]);
    },
  );

  test.each([3, 5])('is given up where it has 4 rows in place of %i', async (rows) => {
    const { checkpointer, headOf, there, log } = await setUp();
    checkpointer.begin(0);
    checkpointer.write({ ...headOf(4), rows });
    await checkpointer.settled();
    expect([there(), checkpointer.nameable(ALL)]).toEqual([[3], 3]);
    expect(log.lines).toMatchObject([{ fields: { reason: `the snapshot has 4 rows of ${rows}` } }]);
  });

  test('of a trainer that failed is no unhandled rejection', async () => {
    const { checkpointer, trainer, headOf, said } = await setUp();
    trainer.snapshot = () => Promise.reject(new Error('the thread died'));
    trainer.slice = () => Promise.reject(new Error('the thread died'));
    checkpointer.begin(0);
    await turns(1);
    checkpointer.write(headOf(4));
    await checkpointer.settled();
    expect(said()).toEqual(['a checkpoint could not be written: the next start takes longer']);
  });
});

test('a slice is waited for as long as the disk takes it', async () => {
  const { write, reached, open } = gateAt(0);
  const { checkpointer, headOf } = await setUp({ write });
  // Where none is being written, for nothing.
  await checkpointer.slice();
  checkpointer.begin(0);
  checkpointer.write(headOf(4));
  await reached.promise;
  let taken = false;
  const waits = checkpointer.slice().then(() => {
    taken = true;
  });
  await turns(10);
  expect(taken).toBe(false);
  open.resolve();
  await waits;
  await checkpointer.settled();
  await checkpointer.slice();
});

describe('a checkpoint that is left', () => {
  /** A store whose last commit is 5, with the journal of it and the one before. */
  async function committed(...given: Parameters<typeof setUp>) {
    const all = await setUp(...given);
    for (const commit of [4, 5])
      await all.store.commit({ head: all.headOf(commit), journal: encodeJournal([], [user(`c${commit}`)]) });
    const journal = async () => (await Array.fromAsync(all.store.journal())).map(({ commit }) => commit);
    return { ...all, journal };
  }

  test('is as of the last commit, whose head names it, with no journal', async () => {
    const { checkpointer, checkpoints, store, trainer, now, headOf, there, journal, said } = await committed({
      sync: () => turns(5),
    });
    now.ms += 500;
    await checkpointer.leave({ ...headOf(5), outbox: 0 }, false, ALL_SENT);
    // As where the journal led to other vectors than before.
    const { step, random } = await trainer.state();
    expect(await store.head()).toEqual({
      ...headOf(5, 5),
      step,
      random: [...random],
      relations: expect.any(Number),
      trained: 5,
      outbox: 0,
    });
    expect([there(), await journal()]).toEqual([[5], []]);
    const { head, blocks } = checkpoints.written.get(5)!;
    expect([head.at, blocks]).toEqual([1_000_500, [blockAt(0), blockAt(2)]]);
    expect(said()).toEqual(['left a checkpoint to start from']);
  });

  test('is none where the head names one of its own commit already', async () => {
    const { checkpointer, trainer, headOf, there } = await committed();
    await checkpointer.leave(headOf(3), false, ALL_SENT);
    expect([trainer.snapshots, there()]).toEqual([0, [3]]);
  });

  test('comes after the one that is being written', async () => {
    const { write, reached, open } = gateAt(0);
    const { checkpointer, trainer, store, headOf, there } = await committed({ write });
    checkpointer.begin(0);
    checkpointer.write(headOf(4));
    await reached.promise;
    // What comes after the slice in hand is asked for already.
    expect(trainer.taking).toEqual([]);
    const left = checkpointer.leave(headOf(5), false, ALL_SENT);
    await turns(10);
    expect(trainer.snapshots).toBe(1);
    open.resolve();
    await left;
    expect([trainer.snapshots, there(), (await store.head())?.checkpoint]).toEqual([2, [5], 5]);
  });

  test('is named once everything is acknowledged, and not where sending was stopped', async () => {
    for (const all of [true, false]) {
      const { checkpointer, store, headOf, there, said } = await committed();
      const acknowledged = Promise.withResolvers<boolean>();
      const left = checkpointer.leave(headOf(5), false, acknowledged.promise);
      await vi.waitFor(() => expect(there()).toEqual([3, 5]));
      expect((await store.head())?.checkpoint).toBe(3);
      acknowledged.resolve(all);
      await left;
      expect([(await store.head())?.checkpoint, said().length]).toEqual(all ? [5, 1] : [3, 0]);
    }
  });

  test('and can not be written leaves the store as it was, which costs the next start time alone', async () => {
    const { checkpointer, store, headOf, there, journal, said } = await committed({
      write: () => Promise.reject(new Error('no space left')),
    });
    await checkpointer.leave(headOf(5), false, ALL_SENT);
    expect([await store.head(), there(), await journal()]).toEqual([headOf(5), [3], [4, 5]]);
    expect(said()).toEqual(['could not leave a checkpoint to start from: the next start takes longer']);
  });

  test('keeps names that wait to be published in the journal of one more commit', async () => {
    const { checkpointer, store, headOf, there } = await committed();
    await checkpointer.settle(headOf(5), [user('a'), user('gone')]);
    expect(await store.head()).toMatchObject({ commit: 6, checkpoint: 5 });
    const entries = await Array.fromAsync(store.journal());
    expect(entries.map(({ commit, bytes }) => [commit, decodeJournal(bytes)])).toEqual([
      [6, { batches: [], due: [user('a'), user('gone')], published: new Int32Array(0), of: 0 }],
    ]);
    expect(there()).toEqual([5]);
  });
});
