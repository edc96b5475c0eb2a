import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../src/config/load.ts';
import { defineBench, median } from './harness.ts';
import { trickle, writeLargeStore } from './large-store.ts';
import { COMMAND, ownPlace, Running, ran, scrape, total } from './process.ts';

const GRAPH = 'engagement';
const MIB = 1024 * 1024;

const COLUMNS = {
  peak: 'MiB at the most',
  steady: 'MiB under load',
  store: 'MiB of the store',
  cores: 'cores under load',
  vectors: 'vectors/s',
  outbox: 'waiting at the end',
} as const;

/**
 * What the updater of the engagement graph takes for so many entities under a load: once with every vector to be published, and
 * once more as a restart has it. Needs /proc. The most: loading, taking over, publishing what waits. Under load: at the median, once
 * it is ready and has published what it found. Vectors: those that its events moved, and their negatives.
 */
export const memory = defineBench({
  name: 'memory',
  what: 'memory of an updater by its entities',
  docs: 'deploy.md#how-much',
  measures: ['src/pipeline', 'src/model', 'src/sampling', 'src/graph', 'src/adapters'],
  sizes: {
    full: { entities: 100_000, edges: 150_000, rate: 300, seconds: 90 },
    smoke: { entities: 500, edges: 700, rate: 50, seconds: 2 },
  },
  without: ['rounds'],
  columns: Object.values(COLUMNS),
  async measure(here) {
    const { entities, edges, seconds } = here.size;
    const { env, folder } = await ownPlace(here);
    const config = await loadConfig(env, folder);
    const graph = config.graphs.find(({ name }) => name === GRAPH)!;
    here.say(`making a store of ${entities} entities and ${edges} edges`);
    await writeLargeStore(join(config.state, GRAPH, 'db'), graph, here.size);
    await ran([COMMAND, 'topics', 'apply'], env);
    await using feeding = trickle(env, here.size);
    for (const [row, published] of [
      ['every vector to be published', entities],
      ['started again', 0],
    ] as const) {
      await using running = new Running([COMMAND, 'run', '--graph', GRAPH, '--http', '127.0.0.1:0'], env);
      const url = await running.until('its address', () => /"url":"([^"]+)"/.exec(running.stderr)?.[1]);
      const before = await running.until('what is published', async () => {
        await sleep(200);
        const now = await scrape(url);
        const settled =
          total(now, 'twhin_ready') === 1 && total(now, 'twhin_vectors_published_total') >= published;
        return settled ? now : undefined;
      });
      const began = Date.now();
      const taken: number[] = [];
      for (let second = 0; second < seconds; second++) {
        taken.push(statusOf(running, 'VmRSS'));
        await sleep(1_000);
      }
      const after = await scrape(url);
      const perS = (name: string) =>
        (total(after, name) - total(before, name)) / ((Date.now() - began) / 1000);
      here.record(row, {
        [COLUMNS.peak]: statusOf(running, 'VmHWM'),
        [COLUMNS.steady]: median(taken),
        [COLUMNS.store]: total(after, 'twhin_store_bytes') / MIB,
        [COLUMNS.cores]: perS('process_cpu_seconds_total'),
        [COLUMNS.vectors]: perS('twhin_vectors_published_total'),
        [COLUMNS.outbox]: total(after, 'twhin_outbox_vectors'),
      });
      await running.stop();
    }
    await feeding.stop('SIGKILL');
  },
});

/** A line of /proc/PID/status, MiB. */
function statusOf({ child }: Running, name: string): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
}
