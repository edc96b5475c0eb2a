import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBroker } from '../broker/start.ts';
import { connect } from '../src/adapters/connect.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { loadConfig } from '../src/config/load.ts';
import { Random } from '../src/sampling/random.ts';
import { embeddingHeaders, encodeVector, relationHeaders, relationKey } from '../topics/index.ts';

/**
 * `twhin serve` under load, beside a broker and whoever writes the vectors: queries at a steady rate, whatever the answers
 * take, while vectors move. Usage: npm run bench:serve -- [--tweets N] [--qps N] [--updates N] [--seconds N]
 * [--users N] [--relations 1 … 4: how many relations each user's edges are of] [--threads N]
 * SERVE_NODE_OPTIONS are Node's options of the server, such as --cpu-prof.
 */
const { values } = parseArgs({
  options: {
    tweets: { type: 'string', default: '245000' },
    users: { type: 'string', default: '20000' },
    qps: { type: 'string', default: '200' },
    updates: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '60' },
    relations: { type: 'string', default: '1' },
    threads: { type: 'string' },
  },
});
const [tweets, users, qps, updates, seconds, relations] = [
  values.tweets,
  values.users,
  values.qps,
  values.updates,
  values.seconds,
  values.relations,
].map(Number) as [number, number, number, number, number, number];
const DIM = 128;
const CLUSTERS = 500;
const SEND = 2_000;
const LIKES = 5;
const NAMES = ['likes', 'retweets', 'replies', 'quotes'].slice(0, relations);
const ACTIONS = ['like', 'retweet', 'reply', 'quote'];
const say = (line: string) => process.stderr.write(`${line}\n`);

const random = Random.seeded(7);
const gauss = () => Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
const centres = Array.from({ length: CLUSTERS }, () => Float32Array.from({ length: DIM }, gauss));
/** A vector of length 1 near a centre. */
function vector(cluster: number): Float32Array {
  const raw = centres[cluster]!.map((value) => value + 0.7 * gauss());
  const length = Math.hypot(...raw);
  return raw.map((value) => value / length);
}

const dir = await mkdtemp(join(tmpdir(), 'twhin-serve-bench-'));
const broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' }, onProgress: say });
const path = join(dir, 'twhin.config.ts');
await writeFile(path, `export default () => ({ model: { dim: ${DIM} } });\n`);
const env = {
  ...process.env,
  KAFKA_BROKERS: broker.brokers,
  TWHIN_CONFIG: path,
  TWHIN_STATE: join(dir, 'state'),
};
const config = await loadConfig(env, dir);
const prefix = config.topicPrefix;
const log = await connect(config.kafka);
await log.admin().create(declaredTopics(config));
const sink = log.sink();
const common = {
  graph: 'engagement',
  dim: DIM,
  dtype: 'float32',
  step: 1,
  at: Date.now(),
  fingerprint: 'bench',
  epoch: 1,
  space: 'bench',
} as const;
const headers = embeddingHeaders(common);
const message = (key: string, value: Float32Array) => ({
  topic: `${prefix}embeddings.engagement`,
  key,
  value: encodeVector(value),
  headers,
});
async function send(
  count: number,
  make: (n: number) => Parameters<typeof sink.publish>[0][number],
): Promise<void> {
  for (let first = 0; first < count; first += SEND)
    await sink.publish(Array.from({ length: Math.min(SEND, count - first) }, (_, i) => make(first + i)));
}
await sink.publish(
  ['likes', 'retweets', 'replies', 'quotes'].map((relation, i) => ({
    topic: `${prefix}model.engagement`,
    key: relationKey({ relation, inverse: false }),
    value: encodeVector(vector(i).map((value) => 0.3 * value)),
    headers: relationHeaders({
      ...common,
      trained: i < relations,
      scorer: 'transe-l2',
      beta: 9,
      lhs: 'user',
      rhs: 'tweet',
    }),
  })),
);
say(`writing ${tweets + users} vectors and ${users * LIKES} events`);
const clusterOf = (n: number) => n % CLUSTERS;
await send(tweets, (n) => message(`tweet:${n}`, vector(clusterOf(n))));
await send(users, (n) => message(`user:${n}`, vector(clusterOf(n))));
await send(users * LIKES, (n) => {
  const user = n % users;
  const tweetId = clusterOf(user) + CLUSTERS * random.below(Math.floor(tweets / CLUSTERS));
  const event = {
    userId: String(user),
    tweetId: String(tweetId),
    action: ACTIONS[n % NAMES.length],
    at: Date.now(),
  };
  return {
    topic: `${prefix}engagement`,
    key: String(user),
    value: Buffer.from(JSON.stringify(event)),
    headers: {},
  };
});

const began = performance.now();
const command = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const threads = values.threads === undefined ? [] : ['--threads', values.threads];
const serve = ['serve', '--graph', 'engagement', '--http', '127.0.0.1:0', ...threads];
const nodeOptions = (process.env['SERVE_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '');
const child = spawn(process.execPath, [...nodeOptions, command, ...serve], { env, cwd: dir });
let said = '';
child.stderr.setEncoding('utf8').on('data', (text: string) => {
  said += text;
});
while (!said.includes('"msg":"ready"')) {
  if (child.exitCode !== null) throw new Error(said.slice(-2_000));
  await sleep(50);
}
const readyS = (performance.now() - began) / 1000;
const url = /"url":"([^"]+)"/.exec(said)?.[1] ?? '';
say(`ready after ${readyS.toFixed(1)} s; ${qps} queries and ${updates} updates a second for ${seconds} s`);

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const latencies: number[] = [];
let failures = 0;
function query(): Promise<void> {
  const asked = performance.now();
  return new Promise((resolve) => {
    const request = get(
      `${url}/v1/candidates?surface=home&user=${random.below(users)}&k=20`,
      { agent },
      (response) => {
        response.resume();
        response.on('end', () => {
          latencies.push(performance.now() - asked);
          if (response.statusCode !== 200) failures++;
          resolve();
        });
      },
    );
    request.on('error', () => {
      failures++;
      resolve();
    });
  });
}
async function move(count: number): Promise<void> {
  const moved = Array.from({ length: count }, () => random.below(tweets));
  await sink.publish(moved.map((n) => message(`tweet:${n}`, vector(clusterOf(n)))));
}
const text = async () => (await fetch(`${url}/metrics`)).text();
const cpuOf = (metrics: string) =>
  [...metrics.matchAll(/^process_cpu_seconds_total (\S+)$/gm)].reduce(
    (sum, [, value]) => sum + Number(value),
    0,
  );
/** By upper bound, s: vectors that were visible by then. */
const visibleIn = (metrics: string) =>
  [
    ...metrics.matchAll(/^twhin_serve_visible_seconds_bucket\{le="([^"]+)",graph="engagement"\} (\d+)$/gm),
  ].map(([, le, count]) => [le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), Number(count)] as const);

for (let i = 0; i < 200; i++) await query();
latencies.length = 0;
failures = 0;
const before = await text();
const start = performance.now();
const pending: Promise<void>[] = [];
let [asked, written] = [0, 0];
let moving: Promise<void> = Promise.resolve();
while (performance.now() - start < seconds * 1000) {
  const elapsed = (performance.now() - start) / 1000;
  for (; asked < elapsed * qps; asked++) pending.push(query());
  const due = Math.floor(elapsed * updates) - written;
  if (due >= updates / 5) {
    written += due;
    moving = moving.then(() => move(due));
  }
  await sleep(2);
}
const wallS = (performance.now() - start) / 1000;
await Promise.all(pending);
await moving;
await sleep(1_000);
const after = await text();
const visible = visibleIn(after).map(
  ([le, count], i) => [le, count - (visibleIn(before)[i]?.[1] ?? 0)] as const,
);
const total = visible.at(-1)?.[1] ?? 0;
const within = (share: number) => visible.find(([, count]) => count >= share * total)?.[0] ?? Number.NaN;
const sorted = latencies.toSorted((a, b) => a - b);
const quantile = (share: number) =>
  (sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
const [bytes] = /^twhin_serve_table_bytes\{[^}]*\} (\d+)$/m.exec(after)?.slice(1) ?? [];
const rssOf = (metrics: string) => Number(/^process_resident_memory_bytes (\d+)$/m.exec(metrics)?.[1]);
const mib = (size: number) => (size / 2 ** 20).toFixed(0);
const cores = (cpuOf(after) - cpuOf(before)) / wallS;
process.stdout.write(`# Serving under load

    npm run bench:serve -- --tweets ${tweets} --users ${users} --qps ${qps} --updates ${updates} --seconds ${seconds} --relations ${relations}${threads.map((part) => ` ${part}`).join('')}

${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}; broker, writer, asker and server on them; load ${loadavg()[0]?.toFixed(1)} at the end.

| | |
|---|---:|
| vectors of ${DIM} numbers | ${tweets} tweets, ${users} users |
| start until ready | ${readyS.toFixed(1)} s, ${Math.round((tweets + users + users * LIKES) / readyS)} records/s |
| memory of the tables | ${mib(Number(bytes))} MiB |
| memory of the process, once ready / at the end | ${mib(rssOf(before))} / ${mib(rssOf(after))} MiB |
| answers, failures | ${latencies.length}, ${failures} |
| an answer, p50 / p99 / most | ${quantile(0.5)} / ${quantile(0.99)} / ${quantile(1)} ms |
| updates written a second | ${Math.round(written / wallS)} |
| written until visible, p50 / p99, at most | ${within(0.5)} / ${within(0.99)} s |
| cores of the server | ${cores.toFixed(2)} |
| answers a second and core, updates included | ${((latencies.length - failures) / wallS / cores).toFixed(0)} |
`);
child.kill('SIGTERM');
await once(child, 'exit');
agent.destroy();
await sink.stop();
await log.close();
await broker.stop();
await rm(dir, { recursive: true, force: true });
