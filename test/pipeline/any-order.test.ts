import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_TYPE } from '../../src/graph/checkpoint.ts';
import { digest } from '../../src/graph/digest.ts';
import { DyingStore } from './dying-store.ts';
import { MemoryLog } from './memory-log.ts';
import { positive, SequentialModel } from './sequential-model.ts';
import { partition, sent } from './told-events.ts';
import {
  EMBEDDINGS,
  expectRisingSteps,
  expectTopicEqualsStore,
  graphStore,
  liveEdges,
  updater,
} from './updater-fixture.ts';

const death = fc.record({ writes: fc.nat(4), keepsLast: fc.boolean() });
/** Parts of the stream: each is there when an updater starts, which dies so often before it is through. */
const parts = fc.array(
  fc.record({
    records: fc.array(fc.tuple(sent, partition), { maxLength: 40, size: 'max' }),
    deaths: fc.array(death, { maxLength: 3, size: 'max' }),
  }),
  { minLength: 1, maxLength: 4, size: 'max' },
);
const pace = fc.record({
  batchEdges: fc.integer({ min: 1, max: 6 }),
  commitEdges: fc.integer({ min: 1, max: 12 }),
  handOver: fc.integer({ min: 1, max: 20 }),
});

type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;
type Paces = typeof pace extends fc.Arbitrary<infer T> ? T : never;

/** Runs the parts one after the other. dying: with the deaths, else without. */
async function lived(stream: Parts, { batchEdges, commitEdges, handOver }: Paces, dying: boolean) {
  const log = new MemoryLog();
  const store = new DyingStore();
  const started = () => updater(log, store, { handOver, pace: { batchEdges, commitEdges } });
  let progress = started().progress();
  for (const { records, deaths } of stream) {
    for (const [{ topic, value }, partition] of records) log.append(topic, value, { partition });
    for (const { writes, keepsLast } of dying ? deaths : []) {
      store.dieAfter(writes, keepsLast);
      // It may be through before it is killed.
      await started()
        .run({ untilCaughtUp: true })
        .catch((error: Error) => expect(error.message).toBe('killed'));
    }
    store.dieAfter(Number.POSITIVE_INFINITY, false);
    const running = started();
    await running.run({ untilCaughtUp: true });
    progress = running.progress();
  }
  return { log, store, progress };
}

test('any stream of events, read by updaters that die at any commit, ends as the rules say, and in the same bytes as if none had died', async () => {
  await fc.assert(
    fc.asyncProperty(parts, pace, async (stream, paces) => {
      const { log, store, progress } = await lived(stream, paces, true);
      const model = new SequentialModel();
      for (const { records } of stream) for (const [{ told }] of records) model.tell(told);

      expect(await liveEdges(store)).toEqual(model.live());
      expect(progress.events).toEqual(model.events);
      expect(positive(progress.edges)).toEqual(model.counts());
      expect([...log.folded(EMBEDDINGS).keys()].sort()).toEqual([...model.entities].sort());
      await expectTopicEqualsStore(log, store);
      expectRisingSteps(log);

      const held = graphStore(store);
      const entities = await Array.fromAsync(held.entities());
      const blocks = await Array.fromAsync((await held.checkpoint())?.blocks() ?? []);
      const typed = blocks
        .flatMap(({ types }) => [...types])
        .flatMap((type, row) => (type === NO_TYPE ? [] : [row]));
      expect(typed).toEqual(entities.map(({ row }) => row).sort((x, y) => x - y));
      const head = await held.head();
      expect(head?.events).toEqual(model.events);
      expect(head?.outbox).toBe(0);
      expect(positive(head?.edges ?? {})).toEqual(model.counts());

      const whole = graphStore((await lived(stream, paces, false)).store);
      expect(await digest([held])).toEqual(await digest([whole]));
      expect((await whole.head())?.rows).toBe(head?.rows);
    }),
    { numRuns: 120 },
  );
});
