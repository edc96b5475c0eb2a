import { describe, expect, test, vi } from 'vitest';
import { RetryableError } from '../../../src/errors/errors.ts';
import { forgetTopic } from '../../../src/graph/graph-store.ts';
import { silentLog } from '../../../src/log.ts';
import type { ReadableLog } from '../../../src/pipeline/ports.ts';
import { MemoryStore } from '../../graph/memory-store.ts';
import { MemoryLog } from '../memory-log.ts';
import { copyOf } from '../store-copy.ts';
import {
  caughtUp,
  DEAD_LETTERS,
  EMBEDDINGS,
  embeddingsReader,
  expectRisingSteps,
  expectTopicEqualsStore,
  FOLLOW,
  follow,
  followed,
  follows,
  graphStore,
  histories,
  IN_TIME,
  liveEdges,
  TUNING,
  turns,
  updater,
} from '../updater-fixture.ts';

const NO_STRETCH = { topic: EMBEDDINGS, partition: 0, from: 0, until: 0 };

const vectorsIn = (log: MemoryLog) => log.published.filter(({ topic }) => topic === EMBEDDINGS).length;

describe('taking over', () => {
  test('a restarted store goes on under the next epoch, and nothing is republished', async () => {
    const { log, store } = await followed(20);
    const published = vectorsIn(log);
    await caughtUp(log, store, { space: 'another' });
    expect(vectorsIn(log)).toBe(published);
    expect(await graphStore(store).head()).toMatchObject({ epoch: 2, space: 'first', stepBase: 0 });
  });

  test('the comparison of the topic waits for brokers that go away, and starts again', async () => {
    const { log } = await followed(40);
    const gone = () => Promise.reject(new RetryableError('broker-unreachable', 'no broker answers'));
    let failures = 0;
    const inner = embeddingsReader(log);
    const cut = { cursors: [{ stretch: NO_STRETCH, next: gone }], close: async () => undefined };
    // At first when asked for the ends, then in the middle of reading.
    const reader: ReadableLog = {
      ranges: (topics) => (++failures === 1 ? gone() : inner.ranges(topics)),
      read: async (stretches) => (failures === 2 ? cut : inner.read(stretches)),
    };
    const store = new MemoryStore();
    await caughtUp(log, store, { space: 'second', reader });
    expect(failures).toBe(3);
    await expectTopicEqualsStore(log, store);
    expectRisingSteps(log);
  });

  test('without a note, a store that could have written the topic keeps its steps', async () => {
    const { log, store } = await followed(20);
    log.note = undefined;
    await caughtUp(log, store);
    expect(await graphStore(store).head()).toMatchObject({ epoch: 2, stepBase: 0 });
    await expectTopicEqualsStore(log, store);
    expectRisingSteps(log);
  });

  test('without a note, another store with more steps publishes above all steps in the topic', async () => {
    const { log } = await followed(40);
    log.note = undefined;
    const shadow = new MemoryStore();
    const apart = new MemoryLog();
    apart.records.push(...log.records);
    await caughtUp(apart, shadow, { role: 'shadow', space: 'second', pace: { batchEdges: 2 } });
    await caughtUp(log, shadow, { space: 'unused' });
    expectRisingSteps(log);
    await expectTopicEqualsStore(log, shadow);
  });

  test('the group has a note that covers each vector before the vector goes out', async () => {
    const log = new MemoryLog();
    follows(log, 'a', 100);
    log.before.commit = () => turns(5);
    const ahead: string[] = [];
    let reached = false;
    log.before.publish = (messages) => {
      for (const { key, headers } of messages) {
        const [step, epoch] = [Number(headers['step']), Number(headers['epoch'])];
        if (!log.note || step > log.note.step || epoch > log.note.epoch) ahead.push(String(key));
      }
      if (!reached && messages.some(({ topic }) => topic === EMBEDDINGS)) throw new Error('killed');
    };
    const store = new MemoryStore();
    await expect(caughtUp(log, store)).rejects.toThrow('killed');
    expect((await graphStore(store).head())?.outbox).toBeGreaterThan(0);
    // As if it had died before it told the log anything.
    log.note = undefined;
    reached = true;
    await caughtUp(log, store);
    expect(ahead).toEqual([]);
    await expectTopicEqualsStore(log, store);
  });

  /** Level and message of each line that a start logs. */
  async function startedOn(log: MemoryLog, store: MemoryStore, space = 'first') {
    const said: [level: string, message: string][] = [];
    const keep = (level: string) => (_: object, message: string) => void said.push([level, message]);
    await caughtUp(log, store, { space, log: { ...silentLog, info: keep('info'), warn: keep('warn') } });
    return said;
  }

  test("nothing is said of a topic that holds just the store's vectors, though a later commit wrote it", async () => {
    const { log, store } = await followed(20);
    // The commit after a backup moved no vector.
    if (log.note) log.note = { ...log.note, step: log.note.step + 1 };
    const published = vectorsIn(log);
    const said = await startedOn(log, store);
    expect(vectorsIn(log)).toBe(published);
    expect(said.filter(([level]) => level === 'warn')).toEqual([]);
  });

  test('a warning tells how many vectors of another store are published again', async () => {
    const { log } = await followed(20);
    const highest = Math.max(...[...histories(log).values()].flat().map(({ step }) => step));
    expect(await startedOn(log, new MemoryStore(), 'second')).toContainEqual([
      'warn',
      `${EMBEDDINGS} holds vectors of another store or a later commit; 21 are published again, above step ${highest}`,
    ]);
  });

  test("a difference of the committed offsets is one line a topic, and the store's offsets count", async () => {
    const log = new MemoryLog();
    for (const partition of [0, 1, 2]) follows(log, `p${partition}-`, 20, partition);
    const store = new MemoryStore();
    await caughtUp(log, store);
    log.committed.push({ [FOLLOW]: { '0': 15, '1': 13, '2': 29 } });
    const said = await startedOn(log, store);
    expect(said.filter(([, message]) => message.includes("the group's committed offsets"))).toEqual([
      [
        'warn',
        `the group's committed offsets of ${FOLLOW} are 12 records behind the store's (partitions: 0, 1); the store's count`,
      ],
      [
        'warn',
        `the group's committed offsets of ${FOLLOW} are 9 records ahead of the store's (partitions: 2); the store's count`,
      ],
    ]);
    expect((await graphStore(store).head())?.events.consumed).toBe(60);
  });

  test('a topic that is read again, or a new store, is no reason for a warning of offsets, but one line says it', async () => {
    const log = new MemoryLog();
    for (const partition of [0, 1]) follows(log, `p${partition}-`, 20, partition);
    const store = new MemoryStore();
    await caughtUp(log, store);
    await forgetTopic(graphStore(store), FOLLOW);
    for (const each of [store, new MemoryStore()]) {
      const said = await startedOn(log, each);
      expect(said.filter(([, message]) => /offset/.test(message))).toEqual([
        ['info', `the store has no offsets of ${FOLLOW}, so the topic is read from its start`],
      ]);
    }
  });

  test('a topic that is made again under a running updater ends it within 10 s, and each start, with both topics and the way out', async () => {
    const log = new MemoryLog();
    follows(log, 'a', 3);
    log.topicIds = { [FOLLOW]: 'AAAA' };
    const store = new MemoryStore();
    let now = 1_000;
    const running = updater(log, store, {
      clock: () => now,
      pace: { lingerMs: 5, commitMs: 5 },
    });
    const ended = running.run();
    const remade = {
      code: 'topic-remade',
      message: expect.stringMatching(/its id was AAAA and is BBBB.*--reread twhin\.follow/),
    };
    const failed = expect(ended).rejects.toMatchObject(remade);
    await vi.waitFor(() => expect(running.progress().phase).toBe('running'), IN_TIME);
    log.topicIds = { [FOLLOW]: 'BBBB' };
    now += 9_999;
    follows(log, 'b', 3);
    await vi.waitFor(() => expect(running.progress().events.consumed).toBe(6), IN_TIME);
    expect(running.progress().phase).toBe('running');
    now += 1;
    await failed;
    await expect(caughtUp(log, store)).rejects.toMatchObject(remade);
  });
});

describe('a standby', () => {
  test('keeps its store up to date, publishes nothing, and leads when its turn comes', async () => {
    const log = new MemoryLog();
    const turn = Promise.withResolvers<void>();
    log.before.join = () => turn.promise;
    follows(log, 'a', 64);
    log.append(FOLLOW, Buffer.from('{'));
    const leading = new MemoryLog();
    leading.records.push(...log.records);
    await caughtUp(leading, new MemoryStore());
    // What the leader published, and how far it came.
    log.published.push(...leading.published.filter(({ topic }) => topic === EMBEDDINGS));
    log.committed.push({ [FOLLOW]: { '0': 64 } });
    log.note = leading.note;

    const store = new MemoryStore();
    const before = log.published.length;
    const standby = updater(log, store, {
      role: 'standby',
      space: 'second',
      pace: { lingerMs: 1, commitEdges: 1 },
    });
    const ended = standby.run();
    await vi.waitFor(() => expect(standby.progress().events.consumed).toBe(65), IN_TIME);
    expect(standby.progress().phase).toBe('standby');
    expect(log.published).toHaveLength(before);
    expect((await graphStore(store).head())?.outbox).toBe(0);
    expect(await standby.unready()).toEqual(['it is standby']);

    turn.resolve();
    follows(log, 'b', 10);
    await vi.waitFor(() => expect(standby.progress().events.consumed).toBe(75), IN_TIME);
    await vi.waitFor(async () => expect(await standby.unready()).toEqual([]), IN_TIME);
    standby.stop();
    await ended;
    await expectTopicEqualsStore(log, store);
    expectRisingSteps(log);
    // The leader had not come to the bad record's commit: its letter is the standby's to write.
    expect(log.published.filter(({ topic }) => topic === DEAD_LETTERS)).toHaveLength(1);
    expect(await liveEdges(store)).toHaveLength(74);
  });

  test('whose turn comes while a commit is being written compares the topic with the store after it', async () => {
    const { log, store } = await followed(20);
    const turn = Promise.withResolvers<void>();
    log.before.join = () => turn.promise;
    const copy = await copyOf(store);
    follows(log, 'a', 1);
    log.append(FOLLOW, follow('a0', 'a9', 5_000));
    const written = Promise.withResolvers<void>();
    const write = copy.write.bind(copy);
    const writes = vi.spyOn(copy, 'write').mockImplementation(async (batch) => {
      await written.promise;
      await write(batch);
    });
    // However little a vector moved, it is one to be published.
    const tuning = { ...TUNING, epsilon: 0, lingerMs: 1, commitEdges: 1 };
    const standby = updater(log, copy, { role: 'standby', space: 'second', tuning, clock: Date.now });
    const ended = standby.run();
    await vi.waitFor(() => expect(writes).toHaveBeenCalled(), IN_TIME);
    turn.resolve();
    await vi.waitFor(() => expect(standby.progress().phase).toBe('taking-over'), IN_TIME);
    await turns(100);
    written.resolve();
    await vi.waitFor(async () => expect(await standby.unready()).toEqual([]), IN_TIME);
    standby.stop();
    await ended;
    await expectTopicEqualsStore(log, copy);
  });
});

describe('a store that others filled beside the live one', () => {
  const letters = (log: MemoryLog) =>
    log.published.filter(({ topic }) => topic === DEAD_LETTERS).map(({ value }) => String(value));

  test('sends the dead letters that the live store did not come to, before the group is told', async () => {
    const log = new MemoryLog();
    // Good records with a bad one after each few.
    for (const name of ['a', 'b', 'c']) {
      follows(log, name, 4);
      log.append(FOLLOW, Buffer.from(`{${name}`));
    }
    // The live store read a part of it, and wrote one dead letter.
    const live = new MemoryLog();
    live.records.push(...log.records.slice(0, 7));
    await caughtUp(live, new MemoryStore());
    log.committed.push(...live.committed);
    log.note = live.note;
    log.published.push(...live.published);
    expect(letters(log)).toEqual(['{a']);
    // The other has read all of it.
    const shadow = new MemoryStore();
    const elsewhere = new MemoryLog();
    elsewhere.records.push(...log.records);
    await caughtUp(elsewhere, shadow, { role: 'shadow', deadLetters: false, space: 'shadow' });
    const told = log.committed.length;
    const toldBy: number[] = [];
    log.before.publish = (messages) => {
      if (messages.some(({ topic }) => topic === DEAD_LETTERS)) toldBy.push(log.committed.length - told);
    };
    await caughtUp(log, shadow);
    expect(letters(log)).toEqual(['{a', '{b', '{c']);
    expect(new Set(toldBy)).toEqual(new Set([0]));
    // It is the graph's writer now, and they are written: the next start has none to add.
    await caughtUp(log, shadow);
    expect(letters(log)).toEqual(['{a', '{b', '{c']);
  });
});

describe('the outbox', () => {
  test('reading pauses while the outbox is full', async () => {
    const log = new MemoryLog();
    follows(log, 'a', 900);
    const acknowledged = Promise.withResolvers<void>();
    log.before.publish = () => acknowledged.promise;
    const store = new MemoryStore();
    const running = updater(log, store, { pace: { maxOutbox: 100, batchEdges: 5, commitEdges: 10 } });
    const ended = running.run({ untilCaughtUp: true });
    await vi.waitFor(() => expect(running.progress().outbox).toBeGreaterThan(100), IN_TIME);
    expect(await running.unready()).toEqual([
      expect.stringMatching(
        /^reading pauses: \d+ vectors wait to be acknowledged, publish\.maxOutbox is 100$/,
      ),
    ]);
    await turns(500);
    const { consumed } = running.progress().events;
    expect(consumed).toBeLessThan(800);
    await turns(500);
    expect(running.progress().events.consumed).toBe(consumed);
    acknowledged.resolve();
    await ended;
    expect(running.progress().events.consumed).toBe(900);
    await expectTopicEqualsStore(log, store);
  });
});
