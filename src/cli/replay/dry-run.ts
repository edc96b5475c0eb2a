import type { EventLog } from '../../pipeline/ports.ts';
import { partitionName, recordsIn } from '../../replay/partition.ts';
import { resolveRange } from '../../replay/range.ts';
import { type StretchSample, sampleStretches } from '../../replay/sample.ts';
import { count, megabytes } from '../format.ts';
import type { Output } from '../output.ts';
import type { ReplayRequest } from './request.ts';

/** Shows what a replay would read; only the ends of the range are read. @throws UsageError as a replay would. */
export async function dryRun(request: ReplayRequest, reader: EventLog, output: Output): Promise<void> {
  const { graph, parts, topics, from, until, places, set, differences, options } = request;
  const place = places?.[0];
  output.status(`${graph.name}: looking at ${topics.length} topics`);
  const { stretches, shortened } = await resolveRange(reader, topics, from, until);
  const samples = await sampleStretches(reader, stretches);
  output.statusDone();
  const partitions = samples.map((sample) => ({
    ...sample.stretch,
    records: recordsIn([sample.stretch]),
    first: sample.first?.timestamp ?? null,
    last: sample.last?.timestamp ?? null,
    bytes: bytesOf(sample),
    sampled: sample.sampled.records,
    gone: shortened.find((each) => partitionName(each) === partitionName(sample.stretch))?.low ?? 0,
  }));
  const sum = (pick: (partition: (typeof partitions)[number]) => number) =>
    partitions.reduce((total, each) => total + pick(each), 0);
  const times = (pick: (partition: (typeof partitions)[number]) => number | null) =>
    partitions.map(pick).filter((time) => time !== null);
  const whole = {
    records: sum(({ records }) => records),
    first: least(times(({ first }) => first)),
    last: greatest(times(({ last }) => last)),
    bytes: sum(({ bytes }) => bytes),
    sampled: sum(({ sampled }) => sampled),
    kept: shortened.length === 0,
  };
  if (options.json === true) {
    const into = place?.name ?? null;
    output.out(
      JSON.stringify({
        dryRun: true,
        graph: graph.name,
        into,
        ...whole,
        set,
        settings: differences,
        partitions,
      }),
    );
    return;
  }
  const shards = parts.length > 1 ? `, ${parts.length} shards` : '';
  output.out(
    `${graph.name}${shards}${place ? ` into ${place.name}` : ''}: nothing was read but the range's ends`,
  );
  output.out(`  records      ${count(whole.records)} in ${partitions.length} partitions`);
  output.out(`  times        ${spanOf(whole.first, whole.last)}, by the log`);
  output.out(
    `  size         about ${megabytes(whole.bytes)}, from the keys and values of ${count(whole.sampled)} records`,
  );
  output.out(
    `  retention    ${whole.kept ? 'the log holds all of it' : 'older records are gone, see below'}`,
  );
  output.out(`  settings     ${differences.length === 0 ? 'as the live graph' : ''}`.trimEnd());
  for (const { key, before, after } of differences) output.out(`               ${key}: ${before} → ${after}`);
  for (const { topic, partition, from: start, until: end, first, last, gone } of partitions) {
    if (start < end)
      output.out(`  ${topic}/${partition}  offsets ${start} to ${end}, ${spanOf(first, last)}`);
    if (gone > 0)
      output.out(`  ${topic}/${partition}  older records are gone: the log begins at offset ${gone}`);
  }
  const empty = partitions.filter((each) => each.records === 0).length;
  if (empty > 0) output.out(`  ${empty} partitions have nothing to read`);
}

function bytesOf({ stretch, sampled }: StretchSample): number {
  return sampled.records === 0 ? 0 : Math.round((sampled.bytes / sampled.records) * recordsIn([stretch]));
}

function spanOf(first: number | null, last: number | null): string {
  if (first === null || last === null) return 'no records';
  return `${new Date(first).toISOString()} to ${new Date(last).toISOString()}`;
}

function least(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}

function greatest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.max(...times);
}
