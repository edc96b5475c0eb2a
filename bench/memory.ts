import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineBench, median } from './harness.ts';
import { ENGAGEMENT, largePlace, trickle } from './large-store.ts';
import { COMMAND, Running, scrape, total } from './process.ts';

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
    const { entities, seconds } = here.size;
    const { env } = await largePlace(here);
    await using feeding = trickle(env, here.size);
    for (const [row, published] of [
      ['every vector to be published', entities],
      ['started again', 0],
    ] as const) {
      await using running = new Running([COMMAND, 'run', '--graph', ENGAGEMENT], env);
      const url = await running.url();
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
      const perS = (name: string) => total(after, name, before) / ((Date.now() - began) / 1000);
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
