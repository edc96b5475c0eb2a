/**
 * How long `twhin run` takes after `kill -9` until it commits new events, part by part, as a Markdown table:
 * `npx node bench/recovery.ts`. Starts a broker of its own and makes the store first; kills it under load.
 * --entities, --edges: size of the store; --runs: kills; --made: folder where the store is kept for the next time;
 * --clean: it is stopped in good order instead, and so leaves an image to start from.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBroker } from '../broker/start.ts';
import { KafkaAdmin } from '../src/adapters/kafka/admin.ts';
import { loadConfig } from '../src/config/load.ts';
import { RetryableError } from '../src/errors/errors.ts';
import { fullName } from '../topics/index.ts';
import { writeLargeStore } from './large-store.ts';

const GRAPH = 'engagement';
const EVENTS_PER_S = 500;
const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');

const { values } = parseArgs({
  options: {
    entities: { type: 'string', default: '1000000' },
    edges: { type: 'string', default: '3000000' },
    runs: { type: 'string', default: '3' },
    made: { type: 'string' },
    clean: { type: 'boolean', default: false },
  },
});
const size = { entities: Number(values.entities), edges: Number(values.edges) };

/** Milliseconds from the start of the process. */
interface Recovery {
  /** Node has started, the store is open. */
  readonly openMs: number;
  /** Undefined where an image was loaded. */
  readonly entitiesMs: number | undefined;
  readonly loadedMs: number;
  /** The dead process's membership has expired, this one has the partitions, has taken over and claimed its epoch. */
  readonly leadsMs: number;
  /** Events that nobody had committed before are. */
  readonly committedMs: number;
  /** Vectors that were waiting to be published, and so were loaded as well. */
  readonly outbox: number;
}

const PARTS: [string, (recovery: Recovery) => number][] = [
  ['entities loaded', ({ entitiesMs = 0 }) => entitiesMs],
  ['rows and edges loaded', ({ openMs, entitiesMs = 0, loadedMs }) => loadedMs - openMs - entitiesMs],
];
const IMAGE: typeof PARTS = [['image loaded', ({ openMs, loadedMs }) => loadedMs - openMs]];

const work = await mkdtemp(join(tmpdir(), 'twhin-recovery-'));
const made = values.made ?? join(work, 'made');
const state = join(work, 'state');
const broker = await startBroker({
  dir: join(work, 'broker'),
  onProgress: tell,
});
const env = { ...process.env, KAFKA_BROKERS: broker.brokers, TWHIN_STATE: state };
const config = await loadConfig(env, work, []);
const graph = config.graphs.find(({ name }) => name === GRAPH)!;
const admin = new KafkaAdmin(config.kafka);
const running = new Set<ChildProcess>();
try {
  if (!existsSync(join(made, 'CURRENT'))) {
    tell(`making a store of ${size.entities} entities and ${size.edges} edges`);
    await writeLargeStore(made, graph, size);
  }
  await cp(made, join(state, GRAPH, 'db'), { recursive: true });
  await ended(start(['topics', 'apply']));
  feed();
  tell('the first run, to be killed');
  let updater = start(['run', '--graph', GRAPH]);
  await published(updater);
  const recoveries: Recovery[] = [];
  for (let run = 1; run <= Number(values.runs); run++) {
    await sleep(5_000);
    const stopping = performance.now();
    updater.kill(values.clean ? 'SIGTERM' : 'SIGKILL');
    await ended(updater).catch((error: unknown) => {
      if (values.clean) throw error;
    });
    if (values.clean) tell(`stopped in ${Math.round(performance.now() - stopping)} ms`);
    const started = performance.now();
    updater = start(['run', '--graph', GRAPH]);
    recoveries.push(await recovered(updater, started));
    tell(`recovery ${run}: ${JSON.stringify(recoveries.at(-1))}, load ${loadavg()[0]?.toFixed(1)}`);
  }
  print(recoveries);
} finally {
  for (const child of running) child.kill('SIGKILL');
  await admin.close();
  await broker.stop();
  await rm(work, { recursive: true });
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function start(args: readonly string[], stdin: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: work,
    env,
    stdio: [stdin, 'ignore', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  child.stderr?.resume();
  const [code] = await new Promise<[number | null]>((resolve) =>
    child.once('exit', (...end) => resolve([end[0]])),
  );
  if (code !== 0) throw new Error(`twhin ended with ${code}`);
}

/** Likes among the store's entities, so many a second, until the end. */
function feed(): void {
  const child = start(['feed', '-', '--topic', 'engagement', '--rate', String(EVENTS_PER_S)], 'pipe');
  child.stderr?.on('data', (said) => tell(String(said).trim()));
  child.stdin?.on('error', (error) => tell(`twhin feed: ${error.message}`));
  let n = 0;
  const write = setInterval(() => {
    for (let i = 0; i < EVENTS_PER_S / 10; i++, n++) {
      const userId = 1_000_000_000 + 5 * ((n * 7_919) % Math.floor(size.entities / 5));
      const event = { userId: `${userId}`, tweetId: `${n % 10_000}`, action: 'like', at: Date.now() };
      child.stdin?.write(`${JSON.stringify(event)}\n`);
    }
  }, 100);
  child.once('exit', () => clearInterval(write));
}

/**
 * Follows a process until all it found in the store is published: what no log ever held is, once, and a process that is
 * killed in the middle of that has a million names more to load.
 */
async function published(child: ChildProcess): Promise<void> {
  let leads = false;
  for await (const line of createInterface({ input: child.stderr! })) {
    const { msg, outbox } = JSON.parse(line);
    leads ||= msg === 'leads the graph';
    if (!leads || msg !== 'progress') continue;
    tell(`${outbox} vectors are to be published`);
    if (outbox < 1_000) break;
  }
  child.stderr?.resume();
}

/** Follows a process until it has committed events that nobody had before it. */
async function recovered(child: ChildProcess, started: number): Promise<Recovery> {
  const before = await committedRecords();
  const since = (epochMs: number) => Math.round(epochMs - performance.timeOrigin - started);
  let loaded: Pick<Recovery, 'openMs' | 'entitiesMs' | 'loadedMs' | 'outbox'> | undefined;
  let leadsMs: number | undefined;
  for await (const line of createInterface({ input: child.stderr! })) {
    const { msg, time, ms, entitiesMs, outbox } = JSON.parse(line);
    if (msg === 'store loaded')
      loaded = { openMs: since(time) - ms, entitiesMs, loadedMs: since(time), outbox };
    if (msg === 'leads the graph') leadsMs = since(time);
    if (leadsMs !== undefined) break;
  }
  child.stderr?.resume();
  if (loaded === undefined || leadsMs === undefined)
    throw new Error('twhin run ended before it led the graph');
  while ((await committedRecords()) <= before) await sleep(20);
  return { ...loaded, leadsMs, committedMs: Math.round(performance.now() - started) };
}

async function committedRecords(): Promise<number> {
  const topics = graph.topics.map((topic) => fullName(config.topicPrefix, topic));
  for (;;) {
    try {
      const offsets = await admin.groupOffsets(`${config.topicPrefix}${GRAPH}`, topics);
      return offsets.reduce((sum, { offset }) => sum + Math.max(0, offset), 0);
    } catch (error) {
      // A broker just started looks for its group coordinator.
      if (!(error instanceof RetryableError)) throw error;
      await sleep(200);
    }
  }
}

function print(recoveries: readonly Recovery[]): void {
  const rows: [string, (recovery: Recovery) => number][] = [
    ['start of the process, store opened', ({ openMs }) => openMs],
    ...(values.clean ? IMAGE : PARTS),
    ['group joined, positions sought, graph taken over', ({ loadedMs, leadsMs }) => leadsMs - loadedMs],
    ['first events read, trained and committed', ({ leadsMs, committedMs }) => committedMs - leadsMs],
    ['all', ({ committedMs }) => committedMs],
  ];
  const [count, edges] = [size.entities, size.edges].map((n) => n.toLocaleString('en'));
  console.log(
    `| ${count} entities, ${edges} edges, dim ${graph.model.dim} | ${recoveries.map((_, i) => `${values.clean ? 'stop' : 'kill'} ${i + 1}`).join(' | ')} |`,
  );
  console.log(`|---|${recoveries.map(() => '---').join('|')}|`);
  for (const [what, of] of rows) {
    console.log(`| ${what} | ${recoveries.map((each) => `${(of(each) / 1000).toFixed(1)} s`).join(' | ')} |`);
  }
}
