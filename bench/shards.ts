/**
 * What a graph costs on several updaters: processor time for each event of all shards together, and of the broker, beside one
 * updater of the whole graph. A Markdown table:
 * `npm run bench:shards -- --higgs FILE [--limit EVENTS] [--shards 1,2,4] [--rounds 3] [--set KEY=VALUE …]`
 *
 * All shards run in one process, `twhin run --until-caught-up`, on a broker of its own: reading, training, exchange, committing and
 * publishing. The numbers of shards take turns, and the median of the rounds counts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { commandLine } from './command-line.ts';
import { Stream } from './e2e/stream.ts';
import { median } from './median.ts';

/** Clock ticks a second of /proc. */
const TICKS = 100;

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string', default: '100000' },
    shards: { type: 'string', default: '1,2,4' },
    rounds: { type: 'string', default: '3' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const { higgs, limit } = values;
if (higgs === undefined) throw new Error('expected --higgs FILE');
const numbers = values.shards.split(',').map(Number);
const rounds = Number(values.rounds);

interface Cost {
  /** Seconds of processor. */
  readonly updaters: number;
  readonly broker: number;
  readonly published: number;
}

const say = (line: string) => process.stderr.write(`${line}\n`);
const costs = new Map<number, Cost[]>(numbers.map((number) => [number, []]));
const topic = await Stream.start({ higgs, limit }, { embedded: false, say });
try {
  for (let round = 0; round < rounds; round++) {
    for (const number of numbers) {
      say(`round ${round + 1} of ${rounds}: ${number} shards`);
      const name = `s${number}r${round}`;
      const before = brokerSeconds(topic.work);
      const { usage } = await topic.updater(name, [`graphs.${name}.shards=${number}`, ...values.set]);
      const lines = usage.stderr.split('\n').filter((line) => line.includes('"msg":"stopped"'));
      const published = lines.reduce((sum, line) => sum + Number(JSON.parse(line).published), 0);
      costs.get(number)!.push({ updaters: usage.cpu, broker: brokerSeconds(topic.work) - before, published });
    }
  }
} finally {
  await topic.stop();
}

const perEvent = (seconds: number) => (1e6 * seconds) / topic.records;
const rows = numbers.map((number) => {
  const all = costs.get(number)!;
  const of = (key: keyof Cost) => median(all.map((cost) => cost[key]));
  return {
    number,
    updaters: perEvent(of('updaters')),
    broker: perEvent(of('broker')),
    published: of('published'),
  };
});
const [first] = rows;
console.log(`# What a graph costs on several updaters

    ${commandLine('bench:shards')}

${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, Node ${process.version}. ${topic.records} events of Higgs, median of ${rounds} rounds that take turns.

| shards | µs of processor an event, all updaters | against one | µs of the broker | vectors published an event |
|---:|---:|---:|---:|---:|
${rows
  .map(
    ({ number, updaters, broker, published }) =>
      `| ${number} | ${updaters.toFixed(0)} | ${(updaters / first!.updaters).toFixed(2)} | ${broker.toFixed(0)} | ${(published / topic.records).toFixed(1)} |`,
  )
  .join('\n')}
`);

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
