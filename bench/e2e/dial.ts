/**
 * What speed costs in quality, and the other way round: the Higgs stream through an updater with one setting changed at a
 * time, as Markdown: `npx node bench/e2e/dial.ts --higgs FILE`. --limit: so many events of it. On the embedded log: it is
 * always there to be read, so batches are full and all settings are ranked on nearly the same edges.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Stream, type UpdaterRun } from './stream.ts';

const SETTINGS: readonly (readonly string[])[] = [
  [],
  ['training.updatesPerEdge=1'],
  ['training.updatesPerEdge=2'],
  ['training.updatesPerEdge=8'],
  ['training.inBatchNegatives=false', 'training.uniformNegatives=256'],
  ['training.correctNegatives=false'],
  ['training.uniformNegatives=64'],
  ['training.uniformNegatives=448'],
  ['commit.everyEdges=16384', 'commit.everyMs=2000'],
  ['publish.epsilon=0.2'],
  ['model.dim=64'],
  ['preset=twhin', 'training.updatesPerEdge=1'],
  ['preset=twhin', 'training.updatesPerEdge=1', 'training.inBatchNegatives=false'],
];
/** More than an updater ranks, so that the figures are less a matter of chance. */
const RANKED = 'training.evaluatedEdges=64';

const { values } = parseArgs({ options: { higgs: { type: 'string' }, limit: { type: 'string' } } });
if (values.higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

const say = (line: string) => process.stderr.write(`${line}\n`);
const topic = await Stream.start({ higgs: values.higgs, limit: values.limit }, { embedded: true, say });
try {
  console.log('# What speed costs in quality\n');
  const limit = values.limit === undefined ? '' : ` --limit ${values.limit}`;
  console.log(`    npx node bench/e2e/dial.ts --higgs higgs-activity_time.txt.gz${limit}\n`);
  console.log(
    `${topic.records} events. ${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)} at the ` +
      `start, Node ${process.version}, the embedded log. One run each.\n`,
  );
  console.log(
    '| | events/s | µs of processor an event | vectors published an event | MRR, both ends known | by popularity | MRR, one new |',
  );
  console.log('|---|---:|---:|---:|---:|---:|---:|');
  for (const [i, settings] of SETTINGS.entries()) {
    say(settings.join(' ') || 'as it is shipped');
    const run = await topic.updater(`dial-${i}`, [...settings, RANKED]);
    console.log(lineOf(settings.map((each) => `\`${each}\``).join(', ') || 'as it is shipped', run));
  }
} finally {
  await topic.stop();
}

function lineOf(name: string, { rate, usage, published, known, fresh }: UpdaterRun): string {
  const { records } = topic;
  const score = (mrr: number | undefined) => mrr?.toFixed(3) ?? '';
  const figures = [
    Math.round(rate),
    ((usage.cpu * 1e6) / records).toFixed(0),
    (published / records).toFixed(2),
  ];
  return `| ${[name, ...figures, score(known?.mrr), score(known?.popularityMrr), score(fresh?.mrr)].join(' | ')} |`;
}
