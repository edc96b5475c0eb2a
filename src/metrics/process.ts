import { Counter, Gauge, type Registry } from 'prom-client';
import { makeHistogram } from './histograms.ts';

const TICK_MS = 20;
const DELAY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

export interface ProcessMetrics {
  /** Stops the measurement of the event loop. */
  stop(): void;
}

/** The metrics of the process itself. */
export function processMetrics(registry: Registry, version: string): ProcessMetrics {
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        collect(this);
      },
    });
  gauge('twhin_memory_bytes', 'Memory of the process, by part.', ['part'], (memory) => {
    const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const parts = { rss, heap: heapTotal, heap_used: heapUsed, external, array_buffers: arrayBuffers };
    for (const [part, bytes] of Object.entries(parts)) memory.set({ part }, bytes);
  });
  new Counter({
    name: 'twhin_cpu_seconds_total',
    help: 'Processor time of the process so far.',
    labelNames: ['mode'],
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc({ mode: 'user' }, user / 1e6);
      this.inc({ mode: 'system' }, system / 1e6);
    },
  });
  // Computed once: a value computed at each scrape would vary by a second and look like a restart.
  const began = Math.round(Date.now() / 1000 - process.uptime());
  gauge('twhin_start_time_seconds', 'When the process began, epoch seconds.', [], (start) =>
    start.set(began),
  );
  gauge(
    'twhin_build_info',
    'Always 1; the labels name the version and the version of Node.js.',
    ['version', 'node'],
    (info) => {
      info.set({ version, node: process.versions.node }, 1);
    },
  );
  return watchEventLoop(registry);
}

/** A timer that measures how late it fires. Node's own monitor misses a delay right after a reading. */
function watchEventLoop(registry: Registry): { stop(): void } {
  const delay = makeHistogram(registry, {
    name: 'twhin_event_loop_delay_seconds',
    help: 'Delay of a 20 ms timer on the main thread.',
    buckets: DELAY_BUCKETS,
    labels: [],
  });
  let due = performance.now() + TICK_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    delay({}, Math.max(0, now - due) / 1000);
    due = now + TICK_MS;
  }, TICK_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
