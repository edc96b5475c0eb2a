import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../src/adapters/connect.ts';
import type { Message } from '../src/pipeline/ports.ts';
import { Random } from '../src/sampling/random.ts';
import { defineBench, type Here } from './harness.ts';
import { COMMAND, ownPlace, Running, scrape, total } from './process.ts';

const GRAPH = 'growing';
const LOOK_MS = 500;
const SEND = 2_000;
const MIB = 2 ** 20;
const ACTIONS = ['like', 'like', 'like', 'retweet', 'reply'] as const;
const AT = Date.UTC(2026, 0);
/** Of each partition. The disk is to hold the store, and not all that was ever published. */
const KEPT = {
  ...{ 'cleanup.policy': 'delete', 'retention.bytes': `${2 ** 28}`, 'segment.bytes': `${2 ** 26}` },
  'file.delete.delay.ms': '1000',
};

const COLUMNS = {
  rate: 'events/s',
  entities: 'entities',
  edges: 'edges',
  memory: 'MiB of memory',
  store: 'MiB of the store',
  cores: 'cores',
  commit: 'commit, mean, ms',
  written: 'bytes on disk an event',
  p50: 'event of a new user sent → its vector read, p50, s',
  p99: 'p99, s',
  published: 'vectors published an event',
  held: 'main thread held, p99.9, ms',
  longest: 'at the most, ms',
} as const;

/**
 * Says at each signal how late timers of 10 ms came since the last: p99.9 and the latest, ms. Node gives the time from one timer to the
 * next, so that a thread that is never held reads 10 ms.
 */
const HELD = `import { isMainThread } from 'node:worker_threads';
const looks = (await import('node:perf_hooks')).monitorEventLoopDelay({ resolution: 10 });
const late = (ns) => Math.max(0, ns / 1e6 - 10);
if (isMainThread && looks.enable()) process.on('SIGUSR2', () => {
  console.error('held', late(looks.percentile(99.9)), late(looks.max));
  looks.reset();
});`;

/**
 * One updater while its graph grows, from nothing to millions of entities. Engagements come as fast as the updater takes them, or
 * `rate` a second; `ahead`: told and not yet taken, at the most. A row is a part of the run. At a given rate a client follows the vectors.
 */
export const growth = defineBench({
  name: 'growth',
  what: 'one updater while its graph grows',
  docs: 'performance.md#while-the-graph-grows',
  measures: ['src/pipeline', 'src/graph', 'src/adapters', 'src/sampling'],
  sizes: {
    full: { events: 20_000_000, entities: 2_000_000, rate: 0, ahead: 60_000, parts: 12 },
    smoke: { events: 2_000, entities: 200, rate: 1_000, ahead: 2_000, parts: 1 },
  },
  without: ['rounds'],
  columns: Object.values(COLUMNS),
  async measure(here) {
    const { events, entities, rate, ahead, parts } = here.size;
    await using opened = new AsyncDisposableStack();
    const { log, sink, running, look, input, output } = await startGrowing(here, opened);
    const born = new Map<string, number>();
    const next = engagements(events, entities, input, (user) => born.set(user, performance.now()));
    let seconds: number[] = [];
    if (rate > 0)
      await opened
        .adopt(log.log(), (each) => each.close())
        .follow([output], {
          position: () => undefined,
          take({ records }) {
            for (const { key } of records) {
              const since = born.get(`${key}`);
              if (since !== undefined && born.delete(`${key}`))
                seconds.push((performance.now() - since) / 1000);
            }
          },
          failed: here.say.bind(here, 'the vectors can no longer be followed'),
        });
    const began = performance.now();
    let before = await look();
    let [told, taken, looked] = [0, 0, began];
    for (let part = 1; part <= parts; ) {
      const now = performance.now();
      if (now - looked >= LOOK_MS) {
        looked = now;
        const seen = await look();
        const { metrics } = seen;
        taken = total(metrics, 'twhin_events_consumed_total');
        // At the end, what was taken last is still being published.
        const sent = part < parts || rate === 0 || born.size === 0;
        if (sent && taken >= (part * events) / parts) {
          running.child.kill('SIGUSR2');
          const said = () => [...running.stderr.matchAll(/held (.*) (.*)/g)][part - 1];
          const [, held, longest] = await running.until('how long it was held', said);
          const sorted = Float64Array.from(seconds).sort();
          here.record(`${((part * events) / parts / 1e6).toFixed(2)} million events`, {
            ...figures(before, seen),
            [COLUMNS.p50]: sorted[Math.floor(0.5 * sorted.length)] ?? Number.NaN,
            [COLUMNS.p99]: sorted[Math.floor(0.99 * sorted.length)] ?? Number.NaN,
            [COLUMNS.held]: Number(held),
            [COLUMNS.longest]: Number(longest),
          });
          [before, part, seconds] = [seen, part + 1, []];
        }
      }
      const due = rate === 0 ? events : ((now - began) / 1000) * rate;
      const count = Math.floor(Math.min(SEND, events - told, due - told, taken + ahead - told));
      if (count < 1) await running.until('a moment', () => sleep(20, true));
      else {
        await sink.publish(next(count));
        told += count;
      }
    }
    await running.stop();
  },
});

/** An updater of a graph of its own that is still empty, with its topics. */
export async function startGrowing(here: Here, opened: AsyncDisposableStack) {
  const relations = ['likes', 'retweets', 'replies', 'quotes', 'mentions'];
  const whole = { graphs: { [GRAPH]: { topics: ['engagement'], relations } } };
  const { env, prefix } = await ownPlace(here, whole);
  const brokers = [env.KAFKA_BROKERS];
  const log = opened.adopt(await connect({ brokers, clientId: 'growth' }), (each) => each.close());
  const sink = opened.adopt(log.sink(), (each) => each.stop());
  const [input, output] = [`${prefix}engagement`, `${prefix}embeddings.${GRAPH}`];
  await log.admin().create([input, output].map((name) => ({ name, partitions: 4, configs: KEPT })));
  const meter = `--import=data:text/javascript,${encodeURIComponent(HELD)}`;
  const running = opened.use(new Running([meter, COMMAND, 'run', '--graph', GRAPH, '--create-topics'], env));
  const url = await running.url();
  return { log, sink, running, look: () => lookAt(url, running.child.pid), input, output };
}

type Look = Awaited<ReturnType<typeof lookAt>>;

/** What an updater says of itself. written: bytes that it had written to a disk, as the kernel counts them. */
async function lookAt(url: string, pid: number | undefined) {
  const metrics = await scrape(url);
  const written = Number(/^write_bytes: (.*)/m.exec(await readFile(`/proc/${pid}/io`, 'utf8'))?.[1]);
  return { metrics, written, at: performance.now() };
}

function figures(before: Look, { metrics, written, at }: Look) {
  const seconds = (at - before.at) / 1000;
  const counted = (name: string) => total(metrics, name, before.metrics);
  const events = counted('twhin_events_consumed_total');
  return {
    [COLUMNS.rate]: events / seconds,
    [COLUMNS.entities]: total(metrics, 'twhin_entities'),
    [COLUMNS.edges]: total(metrics, 'twhin_edges'),
    [COLUMNS.memory]: total(metrics, 'process_resident_memory_bytes') / MIB,
    [COLUMNS.store]: total(metrics, 'twhin_store_bytes') / MIB,
    [COLUMNS.cores]: counted('process_cpu_seconds_total') / seconds,
    [COLUMNS.commit]:
      (1000 * counted('twhin_commit_duration_seconds_sum')) / counted('twhin_commit_duration_seconds_count'),
    [COLUMNS.written]: (written - before.written) / events,
    [COLUMNS.published]: counted('twhin_vectors_published_total') / events,
  };
}

/** Engagements of a world that grows as it goes: as many new entities an event from the first to the last, half of them users. born: told of each new user. */
export function engagements(
  events: number,
  entities: number,
  topic: string,
  born: (user: string) => void,
): (count: number) => Message[] {
  const newPerEvent = entities / events / 2;
  const random = Random.seeded(1);
  let told = 0;
  return (count) =>
    Array.from({ length: count }, () => {
      const known = 1 + Math.floor(told * newPerEvent);
      const isNew = Math.floor((told + 1) * newPerEvent) + 1 > known;
      // Few users say much; what is engaged with is mostly new.
      const user = isNew ? known : Math.floor(known * random.uniform() ** 2);
      const tweet = isNew ? known : known - 1 - Math.floor(known * random.uniform() ** 3);
      const [userId, tweetId] = [`${1_000_000_000 + user}`, `${1_800_000_000_000_000_000n + BigInt(tweet)}`];
      if (isNew) born(`user:${userId}`);
      const action = ACTIONS[random.below(ACTIONS.length)]!;
      const value = JSON.stringify({ userId, tweetId, action, at: AT + told++ });
      return { topic, key: userId, value: Buffer.from(value), headers: {} };
    });
}
