import { FatalError, UsageError } from '../errors/errors.ts';
import type { Head } from '../graph/head.ts';
import type { EventLog, Offsets, PartitionRange, SourceRecord, Stretch } from '../pipeline/ports.ts';
import { refuseRecreated } from '../pipeline/writing/topic-identity.ts';
import type { Bound } from './bound.ts';

/** A range of the log, as offsets. */
export interface Range {
  /** Every partition of the topics, empty ones too. */
  readonly stretches: readonly Stretch[];
  /** Partitions whose first records the log no longer holds, although the range may have begun with them. */
  readonly shortened: readonly PartitionRange[];
}

/**
 * Finds the offsets of the bounds, as of now. A time is compared with the log's time of the records.
 * @throws UsageError with every problem, a line each: a start that the log no longer holds (with the earliest offset
 * and time there are), offsets that do not exist, an end before the start, a range without records.
 */
export async function resolveRange(
  reader: EventLog,
  topics: readonly string[],
  from: Bound,
  until: Bound,
): Promise<Range> {
  const starts = await offsetsOf(reader, topics, from);
  const ends = await offsetsOf(reader, topics, until);
  // The ranges come last: a start found at the log's end stays within them, whatever is appended meanwhile.
  const held = await reader.ranges(topics);
  const problems = [...unknown('--from', from, held), ...unknown('--until', until, held)];
  const stretches: Stretch[] = [];
  for (const partition of held) {
    const { low, high } = partition;
    const start = starts[partition.topic]?.[partition.partition] ?? low;
    const end = ends[partition.topic]?.[partition.partition] ?? high;
    const name = partitionName(partition);
    if (start > high) problems.push(`--from: ${name} ends at offset ${high}, seen ${start}`);
    if (end > high) problems.push(`--until: ${name} ends at offset ${high}, seen ${end}`);
    if (start > end && start <= high)
      problems.push(`--until: ${name} would end at offset ${end}, before its start ${start}`);
    stretches.push({ topic: partition.topic, partition: partition.partition, from: start, until: end });
  }
  const begun = await beginnings(reader, held, from);
  problems.push(...begun.problems);
  if (problems.length === 0 && recordsIn(stretches) === 0) {
    problems.push('--from, --until: there is no record in that range');
  }
  if (problems.length > 0) {
    throw new UsageError(`the range can't be replayed:\n${problems.map((line) => `  ${line}`).join('\n')}`);
  }
  return { stretches, shortened: begun.shortened };
}

async function offsetsOf(reader: EventLog, topics: readonly string[], bound: Bound): Promise<Offsets> {
  if (bound.kind === 'offsets') return bound.offsets;
  return bound.kind === 'time' ? reader.offsetsAt(topics, bound.timeMs) : {};
}

/** Named partitions that do not exist. */
function unknown(option: string, bound: Bound, held: readonly PartitionRange[]): string[] {
  if (bound.kind !== 'offsets') return [];
  return Object.entries(bound.offsets).flatMap(([topic, partitions]) => {
    const count = held.filter((each) => each.topic === topic).length;
    return Object.keys(partitions)
      .filter((partition) => Number(partition) >= count)
      .map(
        (partition) => `${option}: ${topic} has ${count} partitions, 0 to ${count - 1}; seen ${partition}`,
      );
  });
}

/**
 * Partitions whose first records may be gone. With an offset as the start that is certain; with a time it is where
 * the first record kept is younger, because nobody knows the times of the records before. A start that was named in
 * vain is a problem, a line each; otherwise the partition is shortened.
 */
async function beginnings(
  reader: EventLog,
  held: readonly PartitionRange[],
  from: Bound,
): Promise<{ problems: string[]; shortened: PartitionRange[] }> {
  const asked = ({ topic, partition }: PartitionRange) =>
    from.kind === 'offsets' ? from.offsets[topic]?.[partition] : undefined;
  const late = held.filter((partition) => (asked(partition) ?? 0) < partition.low);
  if (from.kind !== 'time' && from.kind !== 'offsets') return { problems: [], shortened: late };

  const firsts = await firstRecords(reader, late);
  const problems: string[] = [];
  const shortened: PartitionRange[] = [];
  for (const [i, partition] of late.entries()) {
    const first = firsts[i]?.timestamp;
    if (from.kind === 'time' ? first === undefined : asked(partition) === undefined)
      shortened.push(partition);
    else if (from.kind === 'offsets' || (first !== undefined && first > from.timeMs)) {
      const start = from.kind === 'time' ? iso(from.timeMs) : `offset ${asked(partition)}`;
      const since = first === undefined ? '' : `, of ${iso(first)}`;
      problems.push(
        `--from: ${partitionName(partition)} starts at offset ${partition.low}${since}: older records are gone; seen ${start}`,
      );
    }
  }
  return { problems, shortened };
}

/** Records of stretches that a store has still to read. @throws FatalError `topic-remade`, `offset-out-of-range`, with the remedy. */
export async function leftOf(
  stretches: readonly Stretch[],
  { positions, topicIds }: Pick<Head, 'positions' | 'topicIds'>,
  reader: Pick<EventLog, 'ranges' | 'topicIds'>,
  remedy: string,
): Promise<number> {
  const topics = [...new Set(stretches.map(({ topic }) => topic))];
  refuseRecreated(topicIds, await reader.topicIds(topics), () => remedy);
  const ranges = await reader.ranges(topics);
  let left = 0;
  for (const { topic, partition, from, until } of stretches) {
    const next = positions[topic]?.[partition]?.offset ?? from;
    if (next === until) continue;
    left += until - next;
    const held = ranges.find((each) => each.topic === topic && each.partition === partition);
    if (held && held.low <= next && next < until && until <= held.high) continue;
    throw new FatalError(
      'offset-out-of-range',
      `${topic}/${partition} was read up to offset ${next}, and is to be read up to ${until}, but the log holds ` +
        `${held ? `${held.low} to ${held.high}` : 'nothing'}: retention took records, or the brokers lost the end of the log. ${remedy}`,
    );
  }
  return left;
}

/** The first record that each partition still holds; undefined where there is none. */
export async function firstRecords(
  reader: EventLog,
  partitions: readonly PartitionRange[],
): Promise<(SourceRecord | undefined)[]> {
  const filled = partitions.filter(({ low, high }) => low < high);
  const reading = await reader.read(
    filled.map(({ low, high, ...of }) => ({ ...of, from: low, until: high })),
  );
  try {
    const records = await Promise.all(reading.cursors.map(async (cursor) => (await cursor.next())?.[0]));
    return partitions.map((partition) => records[filled.indexOf(partition)]);
  } finally {
    await reading.close();
  }
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Offsets of the stretches, markers of transactions included. */
export function recordsIn(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { from, until }) => sum + until - from, 0);
}

export function partitionName({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}/${partition}`;
}
