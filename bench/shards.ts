/**
 * What a graph costs on several updaters: processor time for each event of all shards together, and of the broker, beside one
 * updater of the whole graph. A Markdown table:
 * `npm run bench:shards -- --higgs FILE [--limit EVENTS] [--shards 1,2,4,4p] [--rounds 3] [--set KEY=VALUE …]`
 *
 * `twhin run --until-caught-up` on a broker of its own: reading, training, exchange, committing and publishing. `4`: four shards in
 * one process; `4p`: each in a process of its own. The variants
 * take turns, and the median of the rounds counts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Usage } from './child.ts';
import { commandLine } from './command-line.ts';
import { Stream } from './e2e/stream.ts';
import { median } from './median.ts';

/** Clock ticks a second of /proc. */
const TICKS = 100;

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string', default: '100000' },
    shards: { type: 'string', default: '1,2,4,4p' },
    rounds: { type: 'string', default: '3' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const { higgs, limit } = values;
if (higgs === undefined) throw new Error('expected --higgs FILE');
const variants = values.shards.split(',').map((name) => {
  const [, count, apart] = /^(\d+)(p?)$/.exec(name) ?? [];
  if (count === undefined) throw new Error(`--shards: expected numbers such as 4 or 4p, seen ${name}`);
  return { name, count: Number(count), apart: apart === 'p' };
});
const rounds = Number(values.rounds);

/** What an updater's last line says. */
const stopped = z.object({
  published: z.number(),
  exchange: z
    .object({
      sentGradients: z.number(),
      receivedGradients: z.number(),
      sentVectors: z.number(),
      sentBytes: z.number(),
      copies: z.number(),
      asked: z.number(),
      vectorAgeMs: z.object({ p50: z.number().optional(), p99: z.number().optional() }),
    })
    .optional(),
});

/** Parts of an updater's work, by the threads that do it. */
const PARTS = {
  'reading, deciding, sending': /^(MainThread|node)$/,
  training: /^trainer$/,
  'writing to the store': /^(store|rocksdb:.*)$/,
  'compiling, collecting garbage': /^V8Worker$/,
  'files and network': /^libuv-worker$/,
} as const;
type Part = keyof typeof PARTS;

interface Cost {
  /** Seconds of processor by part. */
  readonly parts: Readonly<Record<Part, number>>;
  /** Seconds of processor. */
  readonly updaters: number;
  readonly broker: number;
  readonly published: number;
  readonly gradients: number;
  /** Of them, those that joined a batch before the end. */
  readonly received: number;
  readonly vectors: number;
  readonly bytes: number;
  /** Copies at the end in all shards, and vectors asked for. */
  readonly copies: number;
  readonly asked: number;
  /** Of the shard with the oldest, ms. */
  readonly age50: number;
  readonly age99: number;
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const costs = new Map<string, Cost[]>(variants.map(({ name }) => [name, []]));
const topic = await Stream.start({ higgs, limit }, { embedded: false, say });
try {
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) {
      say(`round ${round + 1} of ${rounds}: ${variant.name}`);
      const name = `s${variant.name}-${round}`;
      const before = brokerSeconds(topic.work);
      const usages = await run(name, variant);
      const ended = usages
        .flatMap(({ stderr }) => stderr.split('\n'))
        .filter((line) => line.includes('"msg":"stopped"'))
        .map((line) => stopped.parse(JSON.parse(line)));
      const sum = (of: (each: z.infer<typeof stopped>) => number) =>
        ended.reduce((total, each) => total + of(each), 0);
      const most = (of: (each: z.infer<typeof stopped>) => number) => Math.max(...ended.map(of));
      costs.get(variant.name)!.push({
        parts: partsOf(usages),
        updaters: usages.reduce((total, { cpu }) => total + cpu, 0),
        broker: brokerSeconds(topic.work) - before,
        published: sum((each) => each.published),
        gradients: sum(({ exchange }) => exchange?.sentGradients ?? 0),
        received: sum(({ exchange }) => exchange?.receivedGradients ?? 0),
        vectors: sum(({ exchange }) => exchange?.sentVectors ?? 0),
        bytes: sum(({ exchange }) => exchange?.sentBytes ?? 0),
        copies: sum(({ exchange }) => exchange?.copies ?? 0),
        asked: sum(({ exchange }) => exchange?.asked ?? 0),
        age50: most(({ exchange }) => exchange?.vectorAgeMs.p50 ?? 0),
        age99: most(({ exchange }) => exchange?.vectorAgeMs.p99 ?? 0),
      });
    }
  }
} finally {
  await topic.stop();
}

const micros = (seconds: number) => ((1e6 * seconds) / topic.records).toFixed(0);
const each = (count: number) => (count / topic.records).toFixed(1);
const parts = Object.keys(PARTS).filter((name): name is Part => name in PARTS);
const rows = variants.map(({ name }) => {
  const of = (key: Exclude<keyof Cost, 'parts'>) => median(costs.get(name)!.map((cost) => cost[key]));
  const part = (key: Part) => median(costs.get(name)!.map((cost) => cost.parts[key]));
  return { name, of, part };
});
const one = rows[0]!.of('updaters');
console.log(`# What a graph costs on several updaters

    ${commandLine('bench:shards')}

${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. ${topic.records} events of Higgs, ${rounds === 1 ? 'one round' : `median of ${rounds} rounds that take turns`}. Processor time of all updaters, their starts
included. Shards are in one process (p: a process for each shard). Ages are of the vectors in parcels, from their writing to the log until they join a batch, while everything is read at once.

| shards | µs an event, updaters | against the first row | µs, broker | published an event | gradients sent | received | vectors sent | KB sent | copies at the end | asked for, an event | vectors' age, p50 / p99, ms |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
${rows
  .map(
    ({ name, of }) =>
      `| ${name} | ${micros(of('updaters'))} | ${(of('updaters') / one).toFixed(2)} | ${micros(of('broker'))} | ${each(of('published'))} | ${each(of('gradients'))} | ${each(of('received'))} | ${each(of('vectors'))} | ${each(of('bytes') / 1000)} | ${of('copies')} | ${each(of('asked'))} | ${of('age50').toFixed(0)} / ${of('age99').toFixed(0)} |`,
  )
  .join('\n')}

µs an event by part, routers among the first:

| shards | ${parts.join(' | ')} |
|---|${parts.map(() => '---:|').join('')}
${rows.map(({ name, part }) => `| ${name} | ${parts.map((key) => micros(part(key))).join(' | ')} |`).join('\n')}
`);

/** Seconds of processor of all processes, by part. */
function partsOf(usages: readonly Usage[]): Record<Part, number> {
  const of = (pattern: RegExp) =>
    usages
      .flatMap(({ threads }) => Object.entries(threads))
      .filter(([name]) => pattern.test(name))
      .reduce((total, [, seconds]) => total + seconds, 0);
  return {
    'reading, deciding, sending': of(PARTS['reading, deciding, sending']),
    training: of(PARTS.training),
    'writing to the store': of(PARTS['writing to the store']),
    'compiling, collecting garbage': of(PARTS['compiling, collecting garbage']),
    'files and network': of(PARTS['files and network']),
  };
}

/** What the processes of one variant took. */
async function run(name: string, { count, apart }: (typeof variants)[number]): Promise<readonly Usage[]> {
  const settings = [`graphs.${name}.shards=${count}`, ...values.set];
  if (apart) return await topic.shards(name, settings, count);
  return [(await topic.updater(name, settings)).usage];
}

/** Seconds of processor that the broker in a folder has taken; 0 where the system does not say. */
function brokerSeconds(folder: string): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const read = (file: string) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'utf8');
      } catch {
        // The process has ended meanwhile.
        return '';
      }
    };
    const command = read('cmdline');
    if (!command.includes('kafka.Kafka') || !command.includes(folder)) continue;
    const [user = 0, system = 0] = read('stat').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
    ticks += user + system;
  }
  return ticks / TICKS;
}
