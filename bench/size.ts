import { setTimeout as sleep } from 'node:timers/promises';
import { UsageError } from '../src/errors/errors.ts';
import { engagements, startGrowing } from './growth.ts';
import { defineBench, type Here } from './harness.ts';
import { total } from './process.ts';

const SEND = 2_000;
const LOOK_MS = 50;
/** Processor time of an updater that has nothing left to do, of each second. */
const [IDLE_CORES, IDLE_MS] = [0.05, 1_000];
const COLUMNS = {
  rate: 'events/s',
  cpu: 'µs of CPU an event',
  published: 'vectors published an event',
  entities: 'entities',
} as const;

/**
 * An updater of a large graph and one of a small one, in turn, each with new entities as before: a machine that is busy now and then
 * slows both. Rate and processor time are of the taking of events; vectors are counted until the updater has nothing left to do, and only then
 * has the other its turn.
 */
export const size = defineBench({
  name: 'size',
  what: 'an updater of millions of entities beside one of few, in turns',
  docs: 'performance.md#while-the-graph-grows',
  measures: ['src/pipeline', 'src/graph', 'src/adapters', 'src/sampling'],
  sizes: {
    full: { few: 20_000, many: 2_000_000, edges: 1.5, events: 100_000, ahead: 60_000 },
    smoke: { few: 100, many: 200, edges: 1.5, events: 500, ahead: 1_000 },
  },
  columns: Object.values(COLUMNS),
  async measure(here) {
    const { few, many, edges, events } = here.size;
    if (Math.min(few, many) < 100)
      throw new UsageError(`--few and --many: expected 100 at least; seen ${few} and ${many}`);
    await using opened = new AsyncDisposableStack();
    const ways: Parameters<Here['turns']>[0] = {};
    for (const entities of [few, many]) {
      const updater = await startGrowing(here, opened);
      const next = engagements(edges * entities, entities, updater.input, () => undefined);
      const feed = (count: number) => fed(updater, next, count, here.size.ahead);
      await feed(edges * entities);
      await idle(updater);
      Object.assign(ways, {
        [`from ${entities} entities on`]: async () => {
          const before = await updater.look();
          const after = await feed(events);
          const seconds = (after.at - before.at) / 1000;
          await idle(updater);
          const { metrics } = await updater.look();
          const counted = (name: string, of = metrics) => total(of, name, before.metrics);
          return {
            [COLUMNS.rate]: events / seconds,
            [COLUMNS.cpu]: (1e6 * counted('process_cpu_seconds_total', after.metrics)) / events,
            [COLUMNS.published]: counted('twhin_vectors_published_total') / events,
            [COLUMNS.entities]: total(metrics, 'twhin_entities'),
          };
        },
      });
    }
    await here.turns(ways, 1);
  },
});

type Updater = Awaited<ReturnType<typeof startGrowing>>;

/** Tells the updater of so many events, `ahead` of it at the most, and looks at it once it has taken them. */
async function fed(
  { sink, look, running }: Updater,
  next: ReturnType<typeof engagements>,
  events: number,
  ahead: number,
) {
  const taken = ({ metrics }: Awaited<ReturnType<typeof look>>) =>
    total(metrics, 'twhin_events_consumed_total');
  const before = taken(await look());
  for (let told = 0; ; ) {
    const seen = await look();
    const done = taken(seen) - before;
    if (done >= events) return seen;
    while (told < Math.min(events, done + ahead)) {
      const count = Math.min(SEND, events - told);
      await sink.publish(next(count));
      told += count;
    }
    await running.until('a moment', () => sleep(LOOK_MS, true));
  }
}

/** Waits until the updater does nothing. */
async function idle({ look, running }: Updater): Promise<void> {
  await running.until('an updater that has nothing left to do', async () => {
    const before = await look();
    await sleep(IDLE_MS);
    const seconds = total((await look()).metrics, 'process_cpu_seconds_total', before.metrics);
    return seconds < (IDLE_CORES * IDLE_MS) / 1000 ? true : undefined;
  });
}
