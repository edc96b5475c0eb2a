import { describe, expect, test } from 'vitest';
import { digest } from '../../src/graph/digest.ts';
import { RELATIONS } from '../../src/graph/edge.ts';
import { WriteBatch } from '../../src/graph/write-batch.ts';
import { decodeJournal } from '../../src/pipeline/training/batch-codec.ts';
import type { Trainer } from '../../src/pipeline/training/trainer.ts';
import { Random } from '../../src/sampling/random.ts';
import { portWith } from '../fixtures/port.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { Life } from './life.ts';
import { MemoryLog } from './memory-log.ts';
import { copyOf } from './store-copy.ts';
import {
  caughtUp,
  EMBEDDINGS,
  expectRisingSteps,
  expectTopicEqualsStore,
  FOLLOW,
  follow,
  followed,
  follows,
  graphStore,
  liveEdges,
  turns,
} from './updater-fixture.ts';

/** First byte of the keys of edges. */
const EDGES = 0x65;
const SMALL = { batchEdges: 4, commitEdges: 8 };

/** Runs an updater that dies with its first vector unacknowledged, once it has read and committed what it can. */
async function killed(log: MemoryLog, store: MemoryStore, more: Parameters<typeof caughtUp>[2] = {}) {
  log.before.publish = async (messages) => {
    if (!messages.some(({ topic }) => topic === EMBEDDINGS)) return;
    await turns(300);
    throw new Error('killed');
  };
  await expect(caughtUp(log, store, { pace: SMALL, ...more })).rejects.toThrow('killed');
  log.before = {};
}

/** The head, the commits in the journal, and the checkpoints that are there. */
async function stateOf(store: MemoryStore) {
  const held = graphStore(store);
  const journal = await Array.fromAsync(held.journal());
  const { commit = 0, checkpoint = 0, ...head } = (await held.head()) ?? {};
  return {
    head,
    commit,
    checkpoint,
    journal: journal.map((entry) => entry.commit),
    due: journal.flatMap(({ bytes }) => decodeJournal(bytes).due),
    checkpoints: [...store.checkpoints.written.keys()],
  };
}

const blocksIn = (store: MemoryStore, commit: number) => store.checkpoints.written.get(commit)?.blocks ?? [];

describe('an updater that is killed', () => {
  test('leaves the journal of its commits; one that ends in order leaves none, and a checkpoint of the last', async () => {
    const { log, store } = await followed(40, { pace: SMALL });
    const ended = await stateOf(store);
    expect(ended).toMatchObject({ checkpoint: ended.commit, journal: [], checkpoints: [ended.commit] });
    follows(log, 'b', 40);
    await killed(log, store);
    const { commit, checkpoint, journal, checkpoints } = await stateOf(store);
    // The checkpoint of a regular stop is written while vectors are sent, and counts once they are acknowledged.
    expect([checkpoint, checkpoints]).toEqual([ended.commit, [ended.commit, commit]]);
    expect(commit).toBeGreaterThan(checkpoint + 4);
    expect(journal).toEqual(Array.from({ length: commit - checkpoint }, (_, i) => checkpoint + 1 + i));
    // So slow that the last commit has vectors that wait.
    log.before.publish = () => turns(100);
    await caughtUp(log, store, { pace: SMALL });
    const last = await stateOf(store);
    expect(last).toMatchObject({ checkpoint: last.commit, journal: [], checkpoints: [last.commit] });
    expect(last.head).toMatchObject({ outbox: 0, events: { consumed: 80 } });
  });

  test('leads at its next start, and commits what comes, while its journal is trained; vectors go out after that', async () => {
    const { log, store } = await followed(20, { pace: SMALL });
    follows(log, 'b', 30);
    await killed(log, store);
    const published = log.published.length;
    const { commit: before } = await stateOf(store);
    follows(log, 'c', 12);
    const gate = Promise.withResolvers<void>();
    const trainer = (own: Trainer) => {
      const train: Trainer['train'] = (batch) => gate.promise.then(() => own.train(batch));
      return new Life().trainer(portWith(own, { train }), Random.seeded(1));
    };
    const running = caughtUp(log, store, { pace: SMALL, trainer });
    const consumed = async () => (await graphStore(store).head())?.events.consumed;
    await expect.poll(consumed).toBe(58);
    const { journal, commit } = await stateOf(store);
    expect(journal.slice(-2)).toEqual([commit - 1, commit]);
    expect([commit > before + 1, log.published.length]).toEqual([true, published]);
    gate.resolve();
    await running;
    expect(await consumed()).toBe(62);
    await expectTopicEqualsStore(log, store);
    expectRisingSteps(log);
  });

  test('has what it did not publish published by the next: vectors, tombstones, and what it found in the topic', async () => {
    const { log, store } = await followed(20, { pace: SMALL });
    // What a writer before left there, of which only a comparison tells.
    const headers = { step: '1', epoch: '1', space: 'first' };
    log.published.push({ topic: EMBEDDINGS, key: 'user:z', value: Buffer.alloc(32), headers });
    log.note = undefined;
    log.append('twhin.erasure', { entity: 'user:a0', at: 5_000 });
    log.append('twhin.erasure', { entity: 'user:a1', at: 5_000 });
    follows(log, 'b', 30);
    log.append(FOLLOW, follow('a1', 'b3', 6_000));
    await killed(log, store);
    expect((await stateOf(store)).due).toEqual(['user:z', 'user:a0', 'user:a1']);
    expect(log.folded(EMBEDDINGS).has('user:z')).toBe(true);
    // The note is the store's own now: nothing is compared, and the names come from the journal.
    const compared = () => Promise.reject(new Error('the topic was read'));
    await caughtUp(log, store, { pace: SMALL, reader: { ranges: compared, read: compared } });
    const names = [...log.folded(EMBEDDINGS).keys()];
    expect(['user:z', 'user:a0', 'user:a1'].map((name) => names.includes(name))).toEqual([
      false,
      false,
      true,
    ]);
    await expectTopicEqualsStore(log, store);
    expectRisingSteps(log);
  });
});

describe('an updater with more than its trainer takes', () => {
  test.each([
    ['known-edges', { maxKnownEdges: 13 }],
    ['table-full', { maxRows: 2 * RELATIONS.length + 14 }],
  ])(
    'ends with %s at each start, its journal has nothing of it, and a higher limit is enough',
    async (code, limit) => {
      const [log, store] = [new MemoryLog(), new MemoryStore()];
      follows(log, 'a', 16);
      for (let start = 0; start < 3; start++) {
        // So slow that the writing runs ahead of it.
        const trainer = (own: Trainer) => new Life().trainer(own, Random.seeded(start));
        const running = caughtUp(log, store, { pace: SMALL, trainer, ...limit });
        await expect(running).rejects.toMatchObject({ code });
        expect((await graphStore(store).head())?.events.consumed ?? 0).toBeLessThan(14);
        expect(await liveEdges(store)).toHaveLength(8);
      }
      await caughtUp(log, store, { pace: SMALL });
      expect(await liveEdges(store)).toHaveLength(16);
      await expectTopicEqualsStore(log, store);
    },
  );
});

describe('the store of an updater', () => {
  test('gets the live edges into a checkpoint that a command made without, before anything is trained', async () => {
    const { log, store } = await followed(30, { pace: SMALL });
    const whole = await copyOf(store);
    const { commit } = await stateOf(store);
    const made = store.checkpoints.written.get(commit)!;
    const bare = made.blocks.map(({ edges: _, ...rows }) => rows);
    store.checkpoints.written.set(commit, { ...made, blocks: bare });
    expect(blocksIn(store, commit).some(({ edges }) => edges !== undefined)).toBe(false);
    follows(log, 'b', 20);
    const apart = new MemoryLog();
    Object.assign(apart, { records: [...log.records], published: [...log.published], note: log.note });
    await killed(log, store);
    const edges = blocksIn(store, commit).flatMap((block) => [...(block.edges?.lhs ?? [])]);
    expect([edges.length, (await stateOf(store)).checkpoint]).toEqual([30, commit]);
    await caughtUp(log, store, { pace: SMALL });
    await expectTopicEqualsStore(log, store);
    // As from the checkpoint that has them, and not killed.
    await caughtUp(apart, whole, { pace: SMALL });
    expect(await digest([graphStore(store)])).toEqual(await digest([graphStore(whole)]));
  });

  test('keeps its checkpoint where nothing comes until the next stop', async () => {
    const { log, store } = await followed(20, { pace: SMALL });
    const { commit } = await stateOf(store);
    const made = store.checkpoints.written.get(commit);
    for (let start = 0; start < 2; start++) {
      await caughtUp(log, store, { pace: SMALL });
      expect([await stateOf(store), [...store.checkpoints.written]]).toMatchObject([
        { commit, checkpoint: commit, journal: [] },
        [[commit, made]],
      ]);
      expect(store.checkpoints.written.get(commit)).toBe(made);
    }
    follows(log, 'b', 1);
    await caughtUp(log, store, { pace: SMALL });
    expect((await stateOf(store)).checkpoint).toBeGreaterThan(commit);
    await expectTopicEqualsStore(log, store);
  });

  test('is not taken for damaged where its edges are counted late, and the first commit removes some', async () => {
    const { log, store } = await followed(20, { pace: SMALL });
    for (let i = 0; i < 20; i++) log.append(FOLLOW, follow(`a${i}`, `a${i + 1}`, 9_000, 'unfollow'));
    const [removed, counted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = portWith(store, {
      async *runs(prefix: Uint8Array) {
        if (prefix[0] === EDGES) await Promise.race([removed.promise, turns(2_000)]);
        yield* store.runs(prefix);
        if (prefix[0] === EDGES) counted.resolve();
      },
      write: async (batch) => {
        await store.write(batch);
        if ((await liveEdges(store)).length < 10) removed.resolve();
      },
    });
    // It does not end before they are counted.
    log.before.publish = () => counted.promise.then(() => turns(10));
    await caughtUp(log, slow, { pace: { batchEdges: 1, commitEdges: 1 } });
    expect(await liveEdges(store)).toEqual([]);
  });

  test('that lost edges is refused, though it starts from a checkpoint', async () => {
    const { log, store } = await followed(20, { pace: SMALL });
    const lost = new WriteBatch();
    for (const { key } of await Array.fromAsync(store.scan(Buffer.of(EDGES)))) lost.delete(key);
    await store.write(lost);
    follows(log, 'b', 20);
    await expect(caughtUp(log, store)).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringMatching(/holds \d+ live edges \(/),
    });
  });
});
