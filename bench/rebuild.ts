/**
 * Records a second and processor time of reading a graph's vectors from their topic, as at each start of `twhin serve`, on a
 * real broker: `npx node bench/rebuild.ts > bench/results/rebuild.md`. Each round is a process of its own, which reads
 * everything once.
 * --vectors, --dim, --rounds; --beside DIR: another checkout, whose rounds take turns with those of this one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBroker } from '../broker/start.ts';
import { connect } from '../src/adapters/connect.ts';
import { declaredTopics } from '../src/config/declared-topics.ts';
import { configOf } from '../src/config/load.ts';
import { Random } from '../src/sampling/random.ts';
import { serveGraphs } from '../src/serve-graphs.ts';
import { embeddingHeaders, encodeVector, relationHeaders, relationKey } from '../topics/index.ts';
import { measured } from './child.ts';
import { median } from './median.ts';

const { values } = parseArgs({
  options: {
    vectors: { type: 'string', default: '500000' },
    dim: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '5' },
    beside: { type: 'string' },
    part: { type: 'string' },
  },
});
const [vectors, dim, rounds] = [Number(values.vectors), Number(values.dim), Number(values.rounds)];
if (!vectors || !dim || !rounds) throw new Error('expected numbers above 0');
const graph = 'engagement';
/** Vectors of a commit, which have one step. */
const COMMIT = 2_000;
/** Ids of ten digits, as those of accounts and posts are. */
const FIRST_ID = 1_000_000_000;

const parts: Record<string, () => Promise<void>> = { read, rebuild };

/** Every record is decoded, and let go. */
async function read(): Promise<void> {
  const config = configOf({ model: { dim } }, process.env, process.cwd());
  const topic = `${config.topicPrefix}embeddings.${graph}`;
  const connection = await connect(config.kafka);
  const log = connection.log();
  const ranges = await log.ranges([topic]);
  const stretches = ranges.map(({ partition, low, high }) => ({ topic, partition, from: low, until: high }));
  const reading = await log.read(stretches);
  await Promise.all(
    reading.cursors.map(async (cursor) => {
      while ((await cursor.next()) !== undefined);
    }),
  );
  await reading.close();
  await log.close();
  await connection.close();
}

/** All that a start does, up to the first answer. */
async function rebuild(): Promise<void> {
  const serving = await serveGraphs({ model: { dim } }, { graphs: [graph] });
  while (serving.unready().length > 0) await sleep(1);
  await serving.stop();
}

async function write(brokers: string): Promise<void> {
  const config = configOf({ model: { dim } }, { KAFKA_BROKERS: brokers }, process.cwd());
  const connection = await connect(config.kafka);
  await connection.admin().create(declaredTopics(config));
  const sink = connection.sink();
  const random = Random.seeded(7);
  const common = {
    graph,
    dim,
    dtype: 'float32',
    at: Date.UTC(2026, 0, 1),
    fingerprint: '0123456789abcdef',
    epoch: 3,
    space: crypto.randomUUID(),
  } as const;
  const vector = () => encodeVector(Float32Array.from({ length: dim }, () => random.uniform() - 0.5));
  const relation = { trained: true, scorer: 'transe-l2', beta: 9, lhs: 'user', rhs: 'tweet' } as const;
  await sink.publish([
    {
      topic: `${config.topicPrefix}model.${graph}`,
      key: relationKey({ relation: 'likes', inverse: false }),
      value: vector(),
      headers: relationHeaders({ ...common, ...relation, step: 1 }),
    },
  ]);
  for (let first = 0; first < vectors; first += COMMIT) {
    const headers = embeddingHeaders({ ...common, at: common.at + first, step: 1_000_000 + first });
    await sink.publish(
      Array.from({ length: Math.min(COMMIT, vectors - first) }, (_, i) => ({
        topic: `${config.topicPrefix}embeddings.${graph}`,
        key: `tweet:${FIRST_ID + first + i}`,
        value: vector(),
        headers,
      })),
    );
  }
  await sink.stop();
  await connection.close();
}

/** Times one part in this process, without what loading the program takes. */
async function timePart(part: string): Promise<void> {
  const [began, before] = [performance.now(), process.cpuUsage()];
  await parts[part]?.();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(JSON.stringify({ ms: performance.now() - began, cpu: user + system }));
}

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'twhin-rebuild-'));
  const broker = await startBroker({ dir, env: { ...process.env, KAFKA_BROKERS: '' } });
  await write(broker.brokers);
  const env = { ...process.env, KAFKA_BROKERS: broker.brokers };
  const sides = { here: import.meta.dirname, ...(values.beside && { beside: join(values.beside, 'bench') }) };
  const taken = new Map<string, { ms: number; micros: number; rss: number }[]>();
  for (let round = 0; round < rounds; round++) {
    for (const part of Object.keys(parts)) {
      for (const [side, folder] of Object.entries(sides)) {
        const args = ['--part', part, '--vectors', String(vectors), '--dim', String(dim)];
        const { stdout, rss } = await measured([join(folder, 'rebuild.ts'), ...args], env);
        const { ms, cpu } = JSON.parse(stdout);
        const name = values.beside === undefined ? part : `${part}, ${side}`;
        taken.set(name, [...(taken.get(name) ?? []), { ms, micros: cpu / vectors, rss }]);
      }
    }
  }
  await broker.stop();
  await rm(dir, { recursive: true, force: true });
  const flags = `--vectors ${vectors} --dim ${dim} --rounds ${rounds}${values.beside ? ` --beside ${values.beside}` : ''}`;
  const rows = [...taken].map(([name, all]) => {
    const ms = median(all.map((one) => one.ms));
    const micros = median(all.map((one) => one.micros)).toFixed(2);
    const mib = Math.round(median(all.map(({ rss }) => rss)) / 2 ** 20);
    return `| ${name} | ${(ms / 1000).toFixed(2)} s | ${Math.round((1000 * vectors) / ms)} | ${micros} | ${mib} MiB |`;
  });
  process.stdout.write(`# Reading all vectors at a start

    npx node bench/rebuild.ts ${flags}

${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}, the broker beside it. ${vectors} vectors of ${dim} numbers in 4 partitions; medians of ${rounds} rounds, which took turns.
\`read\` decodes every record and lets it go; \`rebuild\` is a start of \`twhin serve\`, connecting included.

| | takes | records/s | µs of processor a record | memory of the process, at most |
|---|---:|---:|---:|---:|
${rows.join('\n')}
`);
}

await (values.part === undefined ? main() : timePart(values.part));
