/**
 * What one graph's updater takes for so many entities, as a Markdown table: `npx node bench/memory.ts`. Makes stores of the
 * engagement graph, starts a broker of its own and runs the updater on each under a load: once with every vector to be
 * published, and once more as a restart has it. Needs /proc.
 * --entities: sizes, separated by commas; --edges: edges for each entity; --rate: events a second; --seconds: of each run.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBroker } from '../broker/start.ts';
import { loadConfig } from '../src/config/load.ts';
import { type Running, Twhin } from '../test/e2e/twhin.ts';
import { parseMetrics, type Scrape, total } from '../test/faults/soak/scrape.ts';
import { writeLargeStore } from './large-store.ts';
import { median } from './median.ts';

const GRAPH = 'engagement';
const MIB = 1024 * 1024;
const SETTLED_MS = 900_000;

const { values } = parseArgs({
  options: {
    entities: { type: 'string', default: '10000,100000,1000000' },
    edges: { type: 'string', default: '1.5' },
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '90' },
  },
});
const rate = Number(values.rate);

/** Of one run of the updater. */
interface Taken {
  /** The most it held: loading, taking over, publishing what waits. */
  readonly peakMiB: number;
  /** Under the load, once it was ready and had published what it found; at the median. */
  readonly steadyMiB: number;
  readonly storeMiB: number;
  /** Processor time under the load. */
  readonly cores: number;
  /** Vectors acknowledged under the load: those that its events moved, and their negatives. */
  readonly vectorsPerS: number;
  /** Vectors that waited at the end. */
  readonly outbox: number;
}

const work = await mkdtemp(join(tmpdir(), 'twhin-memory-'));
const broker = await startBroker({ dir: join(work, 'broker'), onProgress: tell });
try {
  console.log(
    '| Entities, edges | Run | Most, MiB | Under load, MiB | Store, MiB | Cores | Vectors/s | Waiting at the end |',
  );
  console.log('|---|---|---:|---:|---:|---:|---:|---:|');
  for (const entities of values.entities.split(',').map(Number)) {
    const edges = Math.round(entities * Number(values.edges));
    const twhin = await Twhin.create(broker.brokers, '');
    try {
      for (const [run, taken] of await measure(twhin, { entities, edges })) {
        const { peakMiB, steadyMiB, storeMiB, cores, vectorsPerS, outbox } = taken;
        const whole = (value: number) => Math.round(value).toLocaleString('en');
        const figures = [whole(peakMiB), whole(steadyMiB), whole(storeMiB), cores.toFixed(2)];
        const rest = [whole(vectorsPerS), whole(outbox)];
        console.log(`| ${[`${whole(entities)}, ${whole(edges)}`, run, ...figures, ...rest].join(' | ')} |`);
      }
    } finally {
      await twhin.remove();
    }
  }
} finally {
  await broker.stop();
  await rm(work, { recursive: true });
}

async function measure(
  twhin: Twhin,
  size: { entities: number; edges: number },
): Promise<readonly (readonly [string, Taken])[]> {
  tell(`making a store of ${size.entities} entities and ${size.edges} edges`);
  const config = await loadConfig(twhin.env, twhin.folder, []);
  const graph = config.graphs.find(({ name }) => name === GRAPH);
  if (graph === undefined) throw new Error(`there is no graph ${GRAPH}`);
  await writeLargeStore(join(config.state, GRAPH, 'db'), graph, size);
  await twhin.ok(['topics', 'apply']);
  const stopFeeding = feed(twhin, size.entities);
  try {
    const first = await run(twhin, size.entities);
    return [
      ['every vector to be published', first],
      ['started again', await run(twhin, 0)],
    ];
  } finally {
    stopFeeding();
  }
}

/** Runs it until it is ready and has published so many vectors, then for as long as asked. */
async function run(twhin: Twhin, published: number): Promise<Taken> {
  const running = twhin.start(['run', '--graph', GRAPH, '--http', '127.0.0.1:0']);
  const url = await running.url();
  const deadline = Date.now() + SETTLED_MS;
  const settled = (now: Scrape) =>
    total(now, 'twhin_ready') === 1 && total(now, 'twhin_vectors_published_total') >= published;
  while (!settled(await scrape(url))) {
    if (running.over || Date.now() > deadline)
      throw new Error(`it did not come to rest:\n${running.stderr.slice(-2000)}`);
    await sleep(1_000);
  }
  const before = await scrape(url);
  const began = Date.now();
  const taken: number[] = [];
  for (let second = 0; second < Number(values.seconds); second++) {
    taken.push(statusOf(running, 'VmRSS'));
    await sleep(1_000);
  }
  const after = await scrape(url);
  const perS = (name: string) => (total(after, name) - total(before, name)) / ((Date.now() - began) / 1000);
  const peakMiB = statusOf(running, 'VmHWM');
  tell(`load ${loadavg()[0]?.toFixed(1)}, ${perS('twhin_events_consumed_total').toFixed(0)} events/s`);
  running.kill('SIGTERM');
  await running.ended;
  return {
    ...{ peakMiB, steadyMiB: median(taken), storeMiB: total(after, 'twhin_store_bytes') / MIB },
    ...{ cores: perS('process_cpu_seconds_total'), vectorsPerS: perS('twhin_vectors_published_total') },
    outbox: total(after, 'twhin_outbox_vectors'),
  };
}

async function scrape(url: string): Promise<Scrape> {
  return parseMetrics(await (await fetch(`${url}/metrics`)).text());
}

/** A line of /proc/PID/status, MiB. */
function statusOf({ pid }: Running, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) / 1024;
}

/** Likes among the store's own users and tweets, so many a second, until told to stop. */
function feed(twhin: Twhin, entities: number): () => void {
  const feeding = twhin.start(['feed', '-', '--topic', 'engagement', '--rate', String(rate)], {
    stdin: 'open',
  });
  let n = 0;
  const write = setInterval(() => {
    for (let i = 0; i < rate / 10; i++, n++) {
      // Every fifth entity of the store is a user.
      const user = 5 * ((n * 7_919) % Math.floor(entities / 5));
      const tweet = 5 * ((n * 104_729) % Math.floor(entities / 5)) + 1;
      const event = {
        userId: `${1_000_000_000 + user}`,
        tweetId: `${1_800_000_000_000_000_000n + BigInt(tweet)}`,
      };
      feeding.child.stdin.write(`${JSON.stringify({ ...event, action: 'like', at: Date.now() })}\n`);
    }
  }, 100);
  return () => {
    clearInterval(write);
    feeding.kill('SIGKILL');
  };
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
