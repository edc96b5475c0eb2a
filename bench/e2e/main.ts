/**
 * The whole way, from a Kafka topic to a topic of vectors, against a kafkajs handler that does nothing on the same topic,
 * interleaved in one run, as Markdown: `npm run bench:e2e -- --higgs FILE`, or `-- --world EVENTS` for the demo's world.
 * --rounds; --limit: so many events of the file; --repeat: all of it so many times, each later;
 * --against FOLDER: another checkout, installed, whose updater runs in turn with this one's;
 * --set training.updatesPerEdge=1: over the configuration, may be repeated;
 * --profiles FOLDER: keeps the processor profiles there.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { commandLine } from '../command-line.ts';
import { median } from '../median.ts';
import { type Parts, partsOf } from './parts.ts';
import { type Run, Stream, type UpdaterRun } from './stream.ts';

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string' },
    repeat: { type: 'string' },
    world: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    profiles: { type: 'string' },
    against: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const { higgs, limit, repeat, world } = values;
if (higgs === undefined && world === undefined)
  throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz; or --world and how many events');
const contents = higgs === undefined ? { world: world ?? '' } : { higgs, limit, repeat };

const say = (line: string) => process.stderr.write(`${line}\n`);
const topic = await Stream.start(contents, { embedded: false, say });
try {
  const runs: UpdaterRun[] = [];
  const empties: Run[] = [];
  const others: UpdaterRun[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    say(`round ${round} of ${values.rounds}`);
    empties.push(await topic.emptyHandler());
    if (values.against !== undefined) {
      const command = resolve(values.against, 'bin', 'twhin.js');
      others.push(await topic.updater(`other-${round}`, values.set, { command }));
    }
    runs.push(await topic.updater(`run-${round}`, values.set));
  }
  say('once more, with profiles');
  const profiles = resolve(values.profiles ?? join(topic.work, 'profiles'));
  await topic.updater('profiled', values.set, { node: ['--cpu-prof', '--cpu-prof-dir', profiles] });
  print(topic.records, empties, others, runs, await partsOf(profiles));
} finally {
  await topic.stop();
}

function print(
  records: number,
  empties: readonly Run[],
  others: readonly UpdaterRun[],
  runs: readonly UpdaterRun[],
  { main, trainer }: { main: Parts; trainer: Parts },
): void {
  const [empty, run] = [median(empties.map(({ rate }) => rate)), median(runs.map(({ rate }) => rate))];
  const cpu = median(runs.map(({ usage }) => usage.cpu));
  const emptyCpu = median(empties.map(({ usage }) => usage.cpu));
  console.log('# The whole way\n');
  console.log(`    ${commandLine('bench:e2e')}\n`);
  console.log(
    `${records} events. ${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, ` +
      `Node ${process.version}, Apache Kafka on the same machine. Medians of ${runs.length}, interleaved.\n`,
  );
  console.log('| | events/s | µs of processor an event | memory at the peak, MiB |\n|---|---|---|---|');
  const row = (name: string, rate: number, seconds: number, all: readonly Run[]) =>
    `| ${name} | ${Math.round(rate)} | ${((seconds * 1e6) / records).toFixed(1)} | ${Math.round(median(all.map(({ usage }) => usage.rss)) / 2 ** 20)} |`;
  console.log(row('empty kafkajs handler', empty, emptyCpu, empties));
  if (others.length > 0) {
    const [rate, seconds] = [
      median(others.map((each) => each.rate)),
      median(others.map(({ usage }) => usage.cpu)),
    ];
    console.log(row('twhin run of the other checkout', rate, seconds, others));
  }
  console.log(row('twhin run', run, cpu, runs));
  const read = median(runs.map(({ readRate }) => readRate));
  const ratios = others.map(
    (other, n) => [runs[n]!.rate / other.rate, runs[n]!.readRate / other.readRate] as const,
  );
  if (ratios.length > 0) {
    const [whole, reading] = [median(ratios.map(([of]) => of)), median(ratios.map(([, of]) => of))];
    console.log(
      `\nThis checkout beside the other, round by round, median: ${whole.toFixed(2)} times the events a second, ${reading.toFixed(2)} until the last event was read.`,
    );
  }
  const published = median(runs.map((each) => each.published)) / records;
  console.log(
    `\nOf the empty handler: ${((100 * run) / empty).toFixed(1)} %. A run ends with the publication of every vector that moved at all since it ` +
      `was published; until the last event was read it took ${Math.round(read)} events/s, ${((100 * read) / empty).toFixed(1)} %. ` +
      `Vectors published an event, all in all: ${published.toFixed(2)}.\n`,
  );
  for (const [name, parts] of Object.entries({ 'main thread': main, 'trainer thread': trainer })) {
    console.log(`| ${name} | µs an event | share |\n|---|---|---|`);
    const all = [...parts.values()].reduce((total, each) => total + each, 0);
    for (const [part, seconds] of [...parts].toSorted((a, b) => b[1] - a[1])) {
      const share = ((100 * seconds) / all).toFixed(1);
      console.log(`| ${part} | ${((seconds * 1e6) / records).toFixed(2)} | ${share} % |`);
    }
    console.log('');
  }
}
