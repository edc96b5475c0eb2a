import { setTimeout as sleep } from 'node:timers/promises';
import { KafkaAdmin } from '../src/adapters/kafka/admin.ts';
import { Random } from '../src/sampling/random.ts';
import { defineBench } from './harness.ts';
import { ENGAGEMENT, largePlace, trickle } from './large-store.ts';
import { COMMAND, Running } from './process.ts';

const PARTS = {
  open: 'start of the process, store opened, s',
  loaded: 'store loaded, s',
  leads: 'group joined, graph taken over, s',
  committed: 'first events committed, s',
  all: 'all, s',
  trained: 'journal trained, s after the start',
} as const;

/**
 * How long `twhin run` takes until it commits new events, after `kill -9` at random moments under load and after a stop in good order,
 * which leaves a checkpoint of all that was trained.
 */
export const recovery = defineBench({
  name: 'recovery',
  what: 'seconds from the start of a process to its first commit, after a kill and after a stop',
  docs: 'reliability.md#times-to-take-over-and-to-recover',
  measures: ['src/pipeline/loading', 'src/graph', 'src/adapters/kafka', 'src/adapters/rocksdb', 'src/state'],
  sizes: {
    full: { entities: 1_000_000, edges: 3_000_000, rate: 8_000, leastMs: 5_000, spreadMs: 60_000 },
    smoke: { entities: 500, edges: 1_000, rate: 50, leastMs: 1_000, spreadMs: 0 },
  },
  columns: Object.values(PARTS),
  async measure(here) {
    const { config, graph, prefix, ...place } = await largePlace(here);
    const env = { ...place.env, TWHIN_HTTP: 'off' };
    await using opened = new AsyncDisposableStack();
    const admin = opened.adopt(new KafkaAdmin(config.kafka), (each) => each.close());
    opened.use(trickle(env, here.size));
    const committed = async () => {
      const topics = graph.topics.map(({ name }) => `${prefix}${name}`);
      const offsets = await admin.groupOffsets(`${prefix}${ENGAGEMENT}`, topics).catch(() => []);
      return offsets.reduce((sum, { offset }) => sum + Math.max(0, offset), 0);
    };
    const start = () => new Running([COMMAND, 'run', '--graph', ENGAGEMENT], env);
    const recovered = async (running: Running, started: number, before: number, wasKilled: boolean) => {
      const since = (epochMs: number) => (epochMs - performance.timeOrigin - started) / 1000;
      const loaded = await running.line('store loaded');
      const leads = since((await running.line('leads the graph')).time);
      await running.until('a commit', async () => ((await committed()) > before ? true : undefined));
      const all = (performance.now() - started) / 1000;
      const [open, ready] = [since(loaded.time) - Number(loaded['ms']) / 1000, since(loaded.time)];
      return {
        ...{ [PARTS.open]: open, [PARTS.loaded]: ready - open, [PARTS.leads]: leads - ready },
        ...{ [PARTS.committed]: all - leads, [PARTS.all]: all },
        ...(wasKilled && { [PARTS.trained]: since((await running.line('journal trained')).time) }),
      };
    };
    let running = start();
    opened.defer(() => running[Symbol.asyncDispose]());
    // The first start reads the edges from the store, and publishes what no topic holds.
    await running.line('leads the graph');
    await running.stop('SIGTERM');
    running = start();
    await running.line('leads the graph');
    const random = Random.seeded(1);
    for (let round = 0; round < here.rounds; round++) {
      for (const [row, signal] of [
        ['kill -9', 'SIGKILL'],
        ['stop in good order', 'SIGTERM'],
      ] as const) {
        await sleep(here.size.leastMs + random.uniform() * here.size.spreadMs);
        await running.stop(signal);
        const [started, before] = [performance.now(), await committed()];
        running = start();
        here.record(row, await recovered(running, started, before, signal === 'SIGKILL'));
      }
    }
  },
});
