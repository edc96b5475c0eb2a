/**
 * The whole way, from a Kafka topic to a topic of vectors, against a kafkajs handler that does nothing on the same topic,
 * interleaved in one run, as Markdown: `npm run bench:e2e -- --higgs FILE`.
 * --rounds; --limit: so many events of it; --set training.updatesPerEdge=1: over the configuration, may be repeated;
 * --profiles FOLDER: keeps the processor profiles there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startBroker } from '../../broker/start.ts';
import { loadConfig } from '../../src/config/load.ts';
import { withSettings } from '../../src/config/overrides.ts';
import { measured, type Usage } from '../child.ts';
import { commandLine } from '../command-line.ts';
import { median } from '../median.ts';
import { type Parts, partsOf } from './parts.ts';

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'twhin.js');
const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    profiles: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
if (values.higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

const say = (line: string) => process.stderr.write(`${line}\n`);
const work = await mkdtemp(join(tmpdir(), 'twhin-e2e-bench-'));
const broker = await startBroker({
  dir: join(work, 'broker'),
  env: { ...process.env, KAFKA_BROKERS: '' },
  onProgress: say,
});
const engagement = (await loadConfig({}, work)).graphs.find(({ name }) => name === 'engagement')!;
const env = { ...process.env, KAFKA_BROKERS: broker.brokers, TWHIN_HTTP: 'off' };
try {
  await measured([COMMAND, 'topics', 'apply'], env);
  const limit = values.limit === undefined ? [] : ['--limit', values.limit];
  say('feeding');
  const fed = await measured(
    [COMMAND, 'feed', values.higgs, '--topic', 'engagement', '--format', 'higgs', '--json', ...limit],
    env,
  );
  const records = Number(JSON.parse(fed.stdout).sent);
  const runs: { rate: number; usage: Usage }[] = [];
  const empties: { rate: number; usage: Usage }[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    say(`round ${round} of ${values.rounds}`);
    empties.push(await emptyHandler(records));
    runs.push(await updater(`run-${round}`, records, []));
  }
  say('once more, with profiles');
  const profiles = resolve(values.profiles ?? join(work, 'profiles'));
  await updater('profiled', records, ['--cpu-prof', '--cpu-prof-dir', profiles]);
  print(records, empties, runs, await partsOf(profiles));
} finally {
  await broker.stop();
  await rm(work, { recursive: true, force: true });
}

async function emptyHandler(records: number) {
  const script = join(import.meta.dirname, 'empty-handler.ts');
  const usage = await measured([script, broker.brokers, 'twhin.engagement', `${records}`], env);
  return { rate: Number(/"rate":([\d.]+)/.exec(usage.stderr)?.[1]), usage };
}

/** A graph like `engagement`, with a store, a group and an embeddings topic of its own. */
async function updater(name: string, records: number, node: readonly string[]) {
  const config = join(work, `${name}.config.ts`);
  const { topics, model } = engagement;
  const graph = {
    topics: topics.map((topic) => topic.name),
    relations: model.relations.map((each) => each.name),
  };
  const whole = withSettings({ graphs: { [name]: graph } }, values.set);
  await writeFile(config, `export default () => (${JSON.stringify(whole)});\n`);
  const own = { ...env, TWHIN_CONFIG: config, TWHIN_STATE: join(work, name) };
  const usage = await measured(
    [...node, COMMAND, 'run', '--graph', name, '--until-caught-up', '--create-topics'],
    own,
  );
  const at = (said: RegExp) => Number(said.exec(usage.stderr)?.[1]);
  const seconds =
    (at(/"time":(\d+)[^\n]*"msg":"stopped"/) - at(/"time":(\d+)[^\n]*"msg":"leads the graph"/)) / 1000;
  return { rate: records / seconds, usage };
}

function print(
  records: number,
  empties: readonly { rate: number; usage: Usage }[],
  runs: readonly { rate: number; usage: Usage }[],
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
  const row = (name: string, rate: number, seconds: number, all: readonly { usage: Usage }[]) =>
    `| ${name} | ${Math.round(rate)} | ${((seconds * 1e6) / records).toFixed(1)} | ${Math.round(median(all.map(({ usage }) => usage.rss)) / 2 ** 20)} |`;
  console.log(row('empty kafkajs handler', empty, emptyCpu, empties));
  console.log(row('twhin run', run, cpu, runs));
  console.log(`\nOf the empty handler: ${((100 * run) / empty).toFixed(1)} %.\n`);
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
