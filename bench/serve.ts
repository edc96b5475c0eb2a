import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../src/adapters/connect.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { loadConfig } from '../src/config/load.ts';
import type { Message } from '../src/pipeline/ports.ts';
import { embeddingHeaders, encodeVector, relationHeaders, relationKey } from '../topics/index.ts';
import { defineBench } from './harness.ts';
import { COMMAND, ownPlace, quantile, Running, scrape, total } from './process.ts';
import { Clusters } from './scan.ts';

const SEND = 2_000;
const LIKES = 5;
const RELATIONS = ['likes', 'retweets', 'replies', 'quotes'];
const ACTIONS = ['like', 'retweet', 'reply', 'quote'];

const COLUMNS = {
  ready: 'start until ready, s',
  table: 'MiB of the tables',
  memory: 'MiB of the process',
  p50: 'answer, p50, ms',
  p99: 'p99, ms',
  failures: 'failures',
  visible: 'written until visible, p99 at most, s',
  cores: 'cores of the server',
  perCore: 'answers a second and core',
} as const;

/**
 * `twhin serve` under load, beside a broker and whoever writes the vectors: queries at a steady rate, whatever the answers take,
 * while vectors move. relations: how many relations each user's edges are of. Broker, writer, asker and server share the machine.
 */
export const serve = defineBench({
  name: 'serve',
  what: 'answers of twhin serve under a steady load, while vectors move',
  docs: 'serve.md#how-fast-is-it',
  measures: ['src/serve', 'src/kernels/scan', 'src/adapters/http', 'src/adapters/kafka', 'topics'],
  sizes: {
    full: {
      tweets: 245_000,
      users: 20_000,
      qps: 200,
      updates: 5_000,
      seconds: 60,
      relations: 1,
      dim: 128,
      threads: 0,
    },
    smoke: { tweets: 600, users: 50, qps: 20, updates: 100, seconds: 2, relations: 1, dim: 16, threads: 0 },
  },
  columns: Object.values(COLUMNS),
  async measure(here) {
    const { tweets, users, qps, updates, seconds, relations, dim, threads } = here.size;
    const { env, folder, prefix } = await ownPlace(here, { model: { dim } });
    const config = await loadConfig(env, folder);
    await using opened = new AsyncDisposableStack();
    const log = opened.adopt(await connect(config.kafka), (each) => each.close());
    await log.admin().create(declaredTopics(config));
    const sink = opened.adopt(log.sink(), (each) => each.stop());
    const world = new Clusters({ rows: tweets, dim, cluster: Math.ceil(tweets / 500), spread: 0.7 });
    const { random, centres } = world;
    const common = {
      graph: 'engagement',
      dim,
      dtype: 'float32',
      step: 1,
      at: Date.now(),
      fingerprint: 'bench',
      epoch: 1,
      space: 'bench',
    } as const;
    const headers = embeddingHeaders(common);
    const vectorOf = (key: string, n: number): Message => ({
      topic: `${prefix}embeddings.engagement`,
      key: `${key}:${n}`,
      value: encodeVector(world.next(n % centres)),
      headers,
    });
    const send = async (count: number, make: (n: number) => Message) => {
      for (let first = 0; first < count; first += SEND)
        await sink.publish(Array.from({ length: Math.min(SEND, count - first) }, (_, i) => make(first + i)));
    };
    await send(RELATIONS.length, (i) => ({
      topic: `${prefix}model.engagement`,
      key: relationKey({ relation: RELATIONS[i]!, inverse: false }),
      value: encodeVector(world.next(i % centres).map((value) => 0.3 * value)),
      headers: relationHeaders({
        ...common,
        ...{ trained: i < relations, scorer: 'transe-l2', beta: 9, lhs: 'user', rhs: 'tweet' },
      }),
    }));
    here.say(`writing ${tweets + users} vectors and ${users * LIKES} events`);
    await send(tweets, (n) => vectorOf('tweet', n));
    await send(users, (n) => vectorOf('user', n));
    await send(users * LIKES, (n) => {
      const userId = String(n % users);
      const tweetId = String(((n % users) % centres) + centres * random.below(Math.floor(tweets / centres)));
      const event = { userId, tweetId, action: ACTIONS[n % relations], at: Date.now() };
      const value = Buffer.from(JSON.stringify(event));
      return { topic: `${prefix}engagement`, key: userId, value, headers: {} };
    });
    const agent = opened.adopt(new Agent({ keepAlive: true, maxSockets: 256 }), (each) => each.destroy());
    for (let round = 0; round < here.rounds; round++) {
      const began = performance.now();
      const args = ['serve', '--graph', 'engagement', '--http', env.TWHIN_HTTP];
      if (threads > 0) args.push('--threads', `${threads}`);
      await using running = new Running([COMMAND, ...args], env);
      await running.until('readiness', () => (/"msg":"ready/.test(running.stderr) ? true : undefined));
      const ready = (performance.now() - began) / 1000;
      const url = await running.url();
      let [latencies, failures]: [number[], number] = [[], 0];
      const query = () =>
        new Promise<void>((resolve) => {
          const at = performance.now();
          get(`${url}/v1/candidates?surface=home&user=${random.below(users)}&k=20`, { agent }, (response) => {
            response.resume().on('end', () => {
              latencies.push(performance.now() - at);
              if (response.statusCode !== 200) failures++;
              resolve();
            });
          }).on('error', () => {
            failures++;
            resolve();
          });
        });
      for (let i = 0; i < 200; i++) await query();
      [latencies, failures] = [[], 0];
      const before = await scrape(url);
      const start = performance.now();
      const pending: Promise<void>[] = [];
      let written = 0;
      let moving: Promise<void> = Promise.resolve();
      while (performance.now() - start < seconds * 1000) {
        const elapsed = (performance.now() - start) / 1000;
        while (pending.length < elapsed * qps) pending.push(query());
        const due = Math.floor(elapsed * updates) - written;
        if (due >= updates / 5) {
          written += due;
          moving = moving.then(() => send(due, () => vectorOf('tweet', random.below(tweets))));
        }
        await sleep(2);
      }
      const wallS = (performance.now() - start) / 1000;
      await Promise.all([...pending, moving]);
      await sleep(1_000);
      const after = await scrape(url);
      const sorted = latencies.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
      const cores = total(after, 'process_cpu_seconds_total', before) / wallS;
      here.record(`${tweets} tweets, ${qps} queries and ${updates} updates a second`, {
        [COLUMNS.ready]: ready,
        [COLUMNS.table]: total(after, 'twhin_serve_table_bytes') / 2 ** 20,
        [COLUMNS.memory]: total(after, 'process_resident_memory_bytes') / 2 ** 20,
        [COLUMNS.p50]: at(0.5),
        [COLUMNS.p99]: at(0.99),
        [COLUMNS.failures]: failures,
        [COLUMNS.visible]: quantile(before, after, 'twhin_serve_visible_seconds', 0.99),
        [COLUMNS.cores]: cores,
        [COLUMNS.perCore]: (latencies.length - failures) / wallS / cores,
      });
      await running.stop();
    }
  },
});
