import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digest } from '../../src/graph/digest.ts';
import type { Batch } from '../../src/graph/store.ts';
import { silentLog } from '../../src/log.ts';
import { soleLeadership } from '../../src/pipeline/sole-leadership.ts';
import { MergedLog } from '../../src/replay/merged-log.ts';
import { Random } from '../../src/sampling/random.ts';
import { MemoryStore } from '../graph/memory-store.ts';
import { wholeOf, withContent } from '../replay/replay-log.ts';
import { Life } from './life.ts';
import { memoryReader } from './memory-reader.ts';
import { positive, SequentialModel } from './sequential-model.ts';
import { SharedLog } from './shared-log.ts';
import { type Content, contentOf, fill } from './store-copy.ts';
import { partition, sent } from './told-events.ts';
import {
  expectRisingSteps,
  expectTopicEqualsStore,
  graphStore,
  liveEdges,
  updater,
} from './updater-fixture.ts';

/** More than a few seconds of it: TWHIN_PROPERTY_RUNS=5000; a failure again, which prints its seed: TWHIN_PROPERTY_SEED. */
const RUNS = Number(process.env['TWHIN_PROPERTY_RUNS'] ?? 150);
const SEED = process.env['TWHIN_PROPERTY_SEED'];
const LIMIT_MS = 120_000 + RUNS * 500;
const parameters = (numRuns: number) => ({ numRuns, ...(SEED !== undefined && { seed: Number(SEED) }) });

/** An event is sent once, or twice as by a producer that did not hear the first time. */
const sending = fc.record({
  event: sent,
  partition,
  times: fc.constantFrom(1, 1, 1, 2),
});
const end = fc.record({
  how: fc.constantFrom('dies' as const, 'dies' as const, 'freezes' as const),
  at: fc.nat(100),
});
/**
 * Which store a process has. own: the graph's first; other: another host's; anew: the first, deleted before; older: the
 * first as it was after some process before, put back; rolled-back: the first without its last commits, as a power loss
 * leaves it.
 */
const storeChoice = fc.constantFrom('own', 'own', 'own', 'other', 'anew', 'older', 'rolled-back');
const life = fc.record({
  records: fc.array(sending, { maxLength: 25, size: 'max' }),
  store: storeChoice,
  end: fc.option(end, { freq: 4 }),
  pace: fc.record({
    batchEdges: fc.integer({ min: 1, max: 6 }),
    commitEdges: fc.integer({ min: 1, max: 12 }),
    recoverMs: fc.constantFrom(0, Number.POSITIVE_INFINITY),
  }),
  /** Other settings than before lead the journal elsewhere. */
  updatesPerEdge: fc.constantFrom(2, 2, 2, 3),
  seed: fc.nat(1_000_000),
});
const story = fc.array(life, { minLength: 1, maxLength: 7, size: 'max' });

type Lives = typeof story extends fc.Arbitrary<infer T> ? T : never;
type LifeStory = Lives[number];

/** The stores that there are, and which of them a process gets. */
class Stores {
  readonly #hosts = { own: new KeptStore(), other: new MemoryStore() };
  readonly #copies: Content[] = [];

  /** held: a frozen process has it open, so that nobody else may. */
  async take(choice: LifeStory['store'], seed: number, held: MemoryStore | undefined): Promise<MemoryStore> {
    const host = choice === 'other' ? 'other' : 'own';
    if (choice === 'anew' || this.#hosts[host] === held) this.#hosts[host] = new KeptStore();
    const { own } = this.#hosts;
    if (choice === 'rolled-back') this.#hosts.own = await storeOf(own.before.at(-1 - (seed % 4)));
    if (choice === 'older') this.#hosts.own = await storeOf(this.#copies[seed % this.#copies.length]);
    return this.#hosts[host];
  }

  async keepCopy(): Promise<void> {
    this.#copies.push(await contentOf(this.#hosts.own));
  }
}

/** Remembers what it held before each write. */
class KeptStore extends MemoryStore {
  readonly before: Content[] = [];

  override async write(batch: Batch): Promise<void> {
    this.before.push(await contentOf(this));
    await super.write(batch);
  }
}

async function storeOf(content: Content | undefined): Promise<KeptStore> {
  const store = new KeptStore();
  return content === undefined ? store : fill(store, content);
}

function send(log: SharedLog, records: LifeStory['records']): void {
  for (const { event, partition: part, times } of records) {
    for (let n = 0; n < times; n++) log.append(event.topic, event.value, { partition: (part + n) % 3 });
  }
}

/** How processes may end that are not through. */
function expectKilledOrFenced(error: Error): void {
  expect(error.message).toMatch(/^killed$|^another process (reads for the group|publishes)$/);
}

/**
 * Lives all lives, one after the other; a frozen one goes on when the next has ended. Then two more with no end of their
 * own: one that had not joined the group when it froze may lead after the first of them.
 */
async function lived(lives: Lives): Promise<{ log: SharedLog; store: MemoryStore }> {
  const log = new SharedLog();
  const stores = new Stores();
  let store = new MemoryStore();
  let frozen: { readonly life: Life; readonly ended: Promise<void>; readonly store: MemoryStore } | undefined;
  const strayed: unknown[] = [];
  const seenLog = {
    ...silentLog,
    info: (_: object, message: string) => void (/journal led/.test(message) && strayed.push(message)),
  };
  const last: LifeStory = { ...lives.at(-1)!, records: [], end: null };
  for (const [i, { records, end: early, store: choice, pace, updatesPerEdge, seed }] of [
    ...lives,
    last,
    last,
  ].entries()) {
    send(log, records);
    store = await stores.take(choice, seed, frozen?.store);
    const own = new Life(early ?? undefined);
    const seen = log.seenBy(own, Random.seeded(seed));
    const running = updater(seen.log, own.store(store), {
      eventLog: seen.eventLog,
      leadership: seen.leadership,
      pace,
      updatesPerEdge,
      trainer: (trainer) => own.trainer(trainer, Random.seeded(seed + 1)),
      log: seenLog,
      space: `space-${i}`,
    });
    const ended = running.run({ untilCaughtUp: true }).catch(expectKilledOrFenced);
    await Promise.race([ended, own.froze]);
    frozen?.life.thaw();
    await frozen?.ended;
    frozen = { life: own, ended, store };
    await stores.keepCopy();
  }
  await frozen?.ended;
  // One thread and one kernel: a journal leads to the same bytes wherever the process before died.
  if (new Set(lives.map(({ updatesPerEdge }) => updatesPerEdge)).size === 1) expect(strayed).toEqual([]);
  return { log, store };
}

function modelOf(lives: Lives): SequentialModel {
  const model = new SequentialModel();
  for (const { records } of lives) {
    for (const { event, times } of records) for (let n = 0; n < times; n++) model.tell(event.told);
  }
  return model;
}

describe('any interleaving of crash, freeze, duplicate, reordering, removal and change of store', () => {
  test(
    'ends in the edges of the sequential model, and on the topic in what the last store holds',
    async () => {
      await fc.assert(
        fc.asyncProperty(story, async (lives) => {
          const { log, store } = await lived(lives);
          const model = modelOf(lives);
          expect(await liveEdges(store)).toEqual(model.live());
          const head = await graphStore(store).head();
          expect(positive(head?.edges ?? {})).toEqual(model.counts());
          expect(head?.events.consumed).toBe(log.records.length);
          expect(head?.outbox).toBe(0);
          await expectTopicEqualsStore(log, store);
          expectRisingSteps(log);
        }),
        parameters(RUNS),
      );
    },
    LIMIT_MS,
  );

  test(
    'and so does a replay of the same records, wherever it dies',
    async () => {
      await fc.assert(
        fc.asyncProperty(story, fc.array(fc.nat(12), { maxLength: 3 }), async (lives, deaths) => {
          const log = new SharedLog();
          for (const { records } of lives) send(log, records);
          const replayed = async (store: MemoryStore, own: Life) => {
            const reader = memoryReader(log);
            const stretches = await wholeOf(reader, log);
            const eventLog = new MergedLog({ log: reader, stretches, topicIds: {}, read: withContent });
            const pace = { batchEdges: 3, commitEdges: 6, recoverMs: 0 };
            await updater(log, own.store(store), {
              eventLog,
              leadership: soleLeadership,
              pace,
              trainer: (trainer) => own.trainer(trainer, Random.seeded(deaths.length)),
              role: 'shadow',
              deadLetters: false,
            })
              .run({ untilCaughtUp: true })
              .catch(expectKilledOrFenced);
          };
          const [died, whole] = [new MemoryStore(), new MemoryStore()];
          for (const at of deaths) await replayed(died, new Life({ how: 'dies', at }));
          for (const store of [died, whole]) await replayed(store, new Life());
          expect(await liveEdges(died)).toEqual(modelOf(lives).live());
          expect(await digest([graphStore(died)])).toEqual(await digest([graphStore(whole)]));
        }),
        parameters(Math.ceil(RUNS / 3)),
      );
    },
    LIMIT_MS,
  );
});
