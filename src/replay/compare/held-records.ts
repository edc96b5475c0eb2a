import type { EventLog, Offsets, PartitionRange, SourceRecord, Stretch } from '../../pipeline/ports.ts';
import { Positions } from '../../pipeline/reading/positions.ts';
import { Merge } from '../merge.ts';

/** What neither of two stores has read: each partition from the later of their offsets to its end. */
export function heldStretches(ranges: readonly PartitionRange[], read: readonly Offsets[]): Stretch[] {
  const positions = new Positions();
  for (const offsets of read) positions.advanceTo(offsets);
  return ranges.flatMap(({ topic, partition, low, high }) => {
    const from = Math.max(low, positions.get(topic, partition) ?? low);
    return from < high ? [{ topic, partition, from, until: high }] : [];
  });
}

/** The first `limit` records of the stretches in the order of a replay. read: puts the content into a record. */
export async function readHeldRecords(
  reader: EventLog,
  stretches: readonly Stretch[],
  limit: number,
  read: (record: SourceRecord) => SourceRecord,
): Promise<SourceRecord[]> {
  if (stretches.length === 0) return [];
  const reading = await reader.read(stretches);
  try {
    return (await new Merge(reading.cursors, read).take(limit)).records;
  } finally {
    await reading.close();
  }
}
