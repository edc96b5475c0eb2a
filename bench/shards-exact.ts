/**
 * Whether a graph on several updaters is exactly the graph on one, after kill -9 of every shard. A Markdown table:
 * `npm run bench:shards-exact -- --higgs FILE [--limit EVENTS] [--shards 1,2,4,8] [--rate EVENTS]`
 *
 * Each number of shards has topics of its own on one broker. While events come, `--rate` a second, each shard is a process, which is
 * killed in turn once it has read something, and started again. When all have read everything, edges at both their owners, entities, and counts by relation and type are compared
 * with those of the first number. Ends with 1 where anything differs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { startBroker } from '../broker/start.ts';
import { loadConfig } from '../src/config/load.ts';
import type { GraphConfig } from '../src/config/resolve.ts';
import type { Head } from '../src/graph/head.ts';
import { shardOf } from '../src/graph/shard.ts';
import { openForReading } from '../src/state/open.ts';
import { fullName } from '../topics/index.ts';
import { measured } from './child.ts';
import { commandLine } from './command-line.ts';

const COMMAND = join(import.meta.dirname, '..', 'bin', 'twhin.js');
const GRAPH = 'engagement';
/** The topic that gets the events. */
const FED = 'engagement';
const LOOK_MS = 200;
/** Longer than anything takes on a busy machine. */
const HANGS_MS = 300_000;

/** What a graph holds, whatever the number of its stores. */
interface Holding {
  readonly edges: number;
  readonly entities: number;
  /** Over all edges, sorted, with their times and removal marks; and over all entities. */
  readonly digest: string;
  /** By relation and by type, those of none left out. */
  readonly counts: Readonly<Record<string, number>>;
  /** What is not where it must be, a phrase each. */
  readonly problems: readonly string[];
}

interface Row {
  readonly shards: number;
  readonly holding: Holding;
  readonly kills: number;
  /** Of these, how many while the feed was still sending. */
  readonly killsInFeed: number;
  readonly seconds: number;
}

/** A process of ours that is to run until it is told to end. */
class Child {
  readonly ended: Promise<number | NodeJS.Signals | null>;
  stderr = '';
  over = false;
  readonly #process: ChildProcess;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-100_000);
    });
    this.#process = child;
    const { promise, resolve } = Promise.withResolvers<number | NodeJS.Signals | null>();
    child.on('close', (code, signal) => {
      this.over = true;
      resolve(code ?? signal);
    });
    this.ended = promise;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string', default: '60000' },
    shards: { type: 'string', default: '1,2,4,8' },
    rate: { type: 'string', default: '1000' },
  },
});
const { higgs, limit, rate } = values;
if (higgs === undefined) throw new Error('expected --higgs FILE');
const say = (line: string) => process.stderr.write(`${line}\n`);

const work = await mkdtemp(join(tmpdir(), 'twhin-exact-bench-'));
const running = new Set<Child>();
const broker = await startBroker({
  dir: join(work, 'broker'),
  env: { ...process.env, KAFKA_BROKERS: '' },
  onProgress: say,
});
const rows: Row[] = [];
try {
  for (const shards of values.shards.split(',').map(Number)) rows.push(await run(shards, higgs));
} finally {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([...running].map(({ ended }) => ended));
  await broker.stop();
  await rm(work, { recursive: true, force: true });
}

const one = rows[0]!.holding;
const found = rows.map(({ shards, holding }) => ({
  shards,
  problems: [
    ...holding.problems,
    ...(holding.digest === one.digest ? [] : [`digest ${holding.digest}, not ${one.digest}`]),
    ...(isDeepStrictEqual(holding.counts, one.counts)
      ? []
      : [`counts ${JSON.stringify(holding.counts)}, not ${JSON.stringify(one.counts)}`]),
  ],
}));
console.log(`# A graph on several updaters is the graph on one

    ${commandLine('bench:shards-exact')}

${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, Node ${process.version}, beside other work. ${limit} events of Higgs, ${rate} a second; each shard killed once with kill -9. Digest: over edges with their times, and entities.

| shards | edges | entities | digest | equal | counts by relation and type | kills, of them while events came | seconds |
|---:|---:|---:|---|---|---|---:|---:|
${rows
  .map(({ shards, holding, kills, killsInFeed, seconds }, i) => {
    const { edges, entities, digest, counts } = holding;
    const same = found[i]!.problems.length === 0 ? 'yes' : 'NO';
    const each = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
    return `| ${shards} | ${edges} | ${entities} | ${digest} | ${same} | ${each.join(', ')} | ${kills}, ${killsInFeed} | ${seconds.toFixed(0)} |`;
  })
  .join('\n')}
`);
for (const { shards, problems } of found) for (const problem of problems) say(`${shards} shards: ${problem}`);
if (found.some(({ problems }) => problems.length > 0)) process.exitCode = 1;

/** One number of shards, from its topics to what its stores hold at the end. */
async function run(shards: number, file: string): Promise<Row> {
  say(`${shards} shards`);
  const began = performance.now();
  const prefix = `shards-${shards}.`;
  const config = join(work, `${shards}.config.ts`);
  const cut = shards > 1 ? `graphs: { ${GRAPH}: { shards: ${shards} } }` : '';
  await writeFile(config, `export default () => ({ ${cut} });\n`);
  const env = {
    ...process.env,
    KAFKA_BROKERS: broker.brokers,
    TWHIN_HTTP: 'off',
    TWHIN_CONFIG: config,
    TWHIN_STATE: join(work, `state-${shards}`),
    TWHIN_TOPIC_PREFIX: prefix,
  };
  const fedTopic = fullName(prefix, { name: FED });
  await measured([COMMAND, 'topics', 'apply'], env);
  const graphs = (await loadConfig(env, work)).graphs.filter(
    ({ name, shard }) => name === GRAPH || shard?.graph === GRAPH,
  );
  const start = (...args: string[]) => {
    const child = new Child(args, env);
    running.add(child);
    return child;
  };
  const startShard = (index: number) => start('run', '--graph', shards > 1 ? `${GRAPH}-${index}` : GRAPH);
  const updaters = graphs.map((_, index) => startShard(index));
  const feeding = start(
    ...['feed', file, '--topic', FED, '--format', 'higgs', '--limit', limit, '--rate', rate],
  );
  const kills = { all: 0, inFeed: 0 };
  const killed = async (child: Child) => {
    kills.all++;
    if (!feeding.over) kills.inFeed++;
    child.kill('SIGKILL');
    await child.ended;
    running.delete(child);
  };
  for (let index = 0; shards > 1 && index < shards; index++) {
    const graph = graphs[index]!;
    const before = await readTo(graph, fedTopic);
    const reads = async () => {
      const now = await readTo(graph, fedTopic);
      return now > before || now === Number(limit);
    };
    await until('a shard that reads', reads, running);
    await killed(updaters[index]!);
    updaters[index] = startShard(index);
  }
  const fed = await feeding.ended;
  running.delete(feeding);
  if (fed !== 0) throw new Error(`the feed ended with ${fed}:\n${feeding.stderr.slice(-4000)}`);
  await until(
    'all that was fed, read by every shard',
    async () => {
      const all = await Promise.all(graphs.map((graph) => readTo(graph, fedTopic)));
      return all.every((each) => each === Number(limit));
    },
    running,
  );
  for (const child of updaters) {
    child.kill('SIGTERM');
    const code = await child.ended;
    running.delete(child);
    if (code !== 0) throw new Error(`a process ended with ${code}:\n${child.stderr.slice(-4000)}`);
  }
  const holding = await held(graphs);
  const seconds = (performance.now() - began) / 1000;
  return { shards, holding, kills: kills.all, killsInFeed: kills.inFeed, seconds };
}

/** How many events of the fed topic a store has read, its own and others'; 0 before its first commit. */
async function readTo(graph: GraphConfig, topic: string): Promise<number> {
  const store = await openForReading(graph).catch(() => undefined);
  const head = await store?.head();
  await store?.close();
  return Object.values(head?.offsets[topic] ?? {}).reduce((sum, offset) => sum + offset, 0);
}

/** What the stores of a graph hold together: every edge at the owners of both its ends, and each entity at its own. */
async function held(graphs: readonly GraphConfig[]): Promise<Holding> {
  const edges = new Map<string, number[]>();
  const ends = new Map<string, readonly number[]>();
  const entities: string[] = [];
  const counts: Record<string, number> = {};
  const problems: string[] = [];
  for (const [index, graph] of graphs.entries()) {
    const store = await openForReading(graph);
    const head = await store?.head();
    if (store === undefined || head === undefined) throw new Error(`${graph.name} has no store`);
    for await (const { lhs, relation, rhs, at, removed } of store.edges()) {
      const edge = `${lhs}\n${relation}\n${rhs}\n${at}\n${removed}`;
      edges.set(edge, [...(edges.get(edge) ?? []), index]);
      ends.set(
        edge,
        [lhs, rhs].map((key) => shardOf(key, graphs.length)),
      );
    }
    for await (const { key } of store.entities())
      if (shardOf(key, graphs.length) === index) entities.push(key);
    for (const [name, count] of Object.entries(ownCounts(head)))
      if (count > 0) counts[name] = (counts[name] ?? 0) + count;
    await store.close();
  }
  const misplaced = [...edges].filter(
    ([edge, at]) => !isDeepStrictEqual(new Set(at), new Set(ends.get(edge))),
  );
  if (misplaced.length > 0) problems.push(`${misplaced.length} edges are not at their owners alone`);
  const twice = entities.length - new Set(entities).size;
  if (twice > 0) problems.push(`${twice} entities are there twice`);
  const hash = createHash('sha256');
  for (const edge of [...edges.keys()].sort()) hash.update(`${edge}\n`);
  for (const entity of entities.sort()) hash.update(`${entity}\n`);
  const digest = hash.digest('hex').slice(0, 16);
  const sorted = Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { edges: edges.size, entities: entities.length, digest, counts: sorted, problems };
}

function ownCounts({ edges, entities, shard }: Head): Record<string, number> {
  return { ...(shard?.edges ?? edges), ...(shard?.entities ?? entities) };
}

/** Waits for a state. @throws naming it where it does not come, or with what a process said that ended meanwhile. */
async function until(
  what: string,
  ready: () => boolean | Promise<boolean>,
  children: ReadonlySet<Child>,
): Promise<void> {
  const deadline = Date.now() + HANGS_MS;
  while (!(await ready())) {
    for (const child of children)
      if (child.over && (await child.ended) !== 0)
        throw new Error(`a process ended with ${await child.ended}:\n${child.stderr.slice(-4000)}`);
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await sleep(LOOK_MS);
  }
}
