import type { EventLog, PartitionRange, SourceRecord, Stretch } from '../pipeline/ports.ts';
import { partitionName } from './partition.ts';

/**
 * Offsets searched for the last record at first; markers of transactions are no records, so that the search may
 * widen.
 */
const LAST_OFFSETS = 64;

/** The ends of a stretch. */
export interface StretchSample {
  readonly stretch: Stretch;
  /** Absent where the stretch has no record. */
  readonly first?: SourceRecord;
  readonly last?: SourceRecord;
  /** Records read at the start of the stretch, and the bytes of their keys and values. */
  readonly sampled: { readonly records: number; readonly bytes: number };
}

/** The first record that each partition still holds; undefined where there is none. */
export async function firstRecords(
  reader: EventLog,
  partitions: readonly PartitionRange[],
): Promise<(SourceRecord | undefined)[]> {
  const stretches = partitions.map(({ topic, partition, low, high }) => ({
    topic,
    partition,
    from: low,
    until: high,
  }));
  return (await heads(reader, stretches)).map((records) => records[0]);
}

/** Reads the first and the last records of each stretch, and no others. */
export async function sampleStretches(
  reader: EventLog,
  stretches: readonly Stretch[],
): Promise<StretchSample[]> {
  const starts = await heads(reader, stretches);
  const filled = stretches.flatMap((stretch, i) => {
    const first = starts[i]?.[0];
    return first === undefined ? [] : [{ ...stretch, from: first.offset }];
  });
  const lasts = await lastRecords(reader, filled);
  return stretches.map((stretch, i) => {
    const records = starts[i] ?? [];
    const [first] = records;
    const last = lasts.get(partitionName(stretch));
    const bytes = records.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + (value?.length ?? 0), 0);
    return { stretch, ...(first && last && { first, last }), sampled: { records: records.length, bytes } };
  });
}

/** The first hand-over of each stretch. */
async function heads(reader: EventLog, stretches: readonly Stretch[]): Promise<SourceRecord[][]> {
  const filled = stretches.filter(({ from, until }) => from < until);
  const reading = await reader.read(filled);
  try {
    const records = await Promise.all(reading.cursors.map(async (cursor) => (await cursor.next()) ?? []));
    return stretches.map((stretch) => records[filled.indexOf(stretch)] ?? []);
  } finally {
    await reading.close();
  }
}

/** The last record of each stretch, by partition name. Every stretch must hold a record. */
async function lastRecords(
  reader: EventLog,
  stretches: readonly Stretch[],
): Promise<Map<string, SourceRecord>> {
  const found = new Map<string, SourceRecord>();
  let left = stretches;
  for (let offsets = LAST_OFFSETS; left.length > 0; offsets *= 16) {
    const tails = left.map((stretch) => ({
      ...stretch,
      from: Math.max(stretch.from, stretch.until - offsets),
    }));
    const reading = await reader.read(tails);
    try {
      await Promise.all(
        reading.cursors.map(async (cursor) => {
          for (let records = await cursor.next(); records !== undefined; records = await cursor.next()) {
            const last = records.at(-1);
            if (last) found.set(partitionName(cursor.stretch), last);
          }
        }),
      );
    } finally {
      await reading.close();
    }
    left = left.filter((stretch) => !found.has(partitionName(stretch)));
  }
  return found;
}
