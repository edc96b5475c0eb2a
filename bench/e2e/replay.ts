/**
 * How fast a replay is beside the updater it stands in for: the Higgs stream through both in turn, as Markdown:
 * `npx node bench/e2e/replay.ts --higgs FILE`. --limit: so many events of it; --rounds: of both; --set: over the configuration,
 * may be repeated.
 */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../median.ts';
import { Stream } from './stream.ts';

const { values } = parseArgs({
  options: {
    higgs: { type: 'string' },
    limit: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
if (values.higgs === undefined) throw new Error('--higgs: expected the path of higgs-activity_time.txt.gz');

const say = (line: string) => process.stderr.write(`${line}\n`);
const topic = await Stream.start({ higgs: values.higgs, limit: values.limit }, { embedded: false, say });
try {
  const lives: number[] = [];
  const replays: number[] = [];
  for (let round = 1; round <= Number(values.rounds); round++) {
    say(`round ${round} of ${values.rounds}`);
    lives.push((await topic.updater(`live${round}`, values.set)).readRate);
    replays.push((await topic.replay(`replay${round}`, values.set)).rate);
  }
  const ratios = replays.map((replay, i) => replay / lives[i]!);
  const set = values.set.map((each) => ` --set ${each}`).join('');
  const limit = values.limit === undefined ? '' : ` --limit ${values.limit}`;
  console.log(`    npx node bench/e2e/replay.ts --higgs higgs-activity_time.txt.gz${limit} --rounds ${values.rounds}${set}

${topic.records} events. ${cpus()[0]?.model ?? 'Unknown processor'}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)} at the end, Node ${process.version}, Apache Kafka on the same
machine. Medians, in turn. The updater until its last event was read, publishing; the replay until all is committed.

| | events/s |
|---|---:|
| \`twhin run\` | ${Math.round(median(lives))} |
| \`twhin replay\` | ${Math.round(median(replays))} |
| the replay, of the updater in the same round | ${median(ratios).toFixed(2)} times |
`);
} finally {
  await topic.stop();
}
