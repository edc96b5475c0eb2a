import type { LogReader, Offsets, PartitionRange, SourceRecord, Stretch } from '../pipeline/ports.ts';
import { Positions } from '../pipeline/positions.ts';

/** What neither of two stores has read: each partition from the later of their offsets to its end. */
export function heldStretches(ranges: readonly PartitionRange[], read: readonly Offsets[]): Stretch[] {
  const positions = new Positions();
  for (const offsets of read) positions.advanceTo(offsets);
  return ranges.flatMap(({ topic, partition, low, high }) => {
    const from = Math.max(low, positions.get(topic, partition) ?? low);
    return from < high ? [{ topic, partition, from, until: high }] : [];
  });
}

/** The first `limit` records of the stretches, a hand-over of each in turn. */
export async function readHeldRecords(
  reader: LogReader,
  stretches: readonly Stretch[],
  limit: number,
): Promise<SourceRecord[]> {
  if (stretches.length === 0) return [];
  const reading = await reader.read(stretches);
  try {
    const records: SourceRecord[] = [];
    let open = [...reading.cursors];
    while (open.length > 0 && records.length < limit) {
      const handed = await Promise.all(open.map((cursor) => cursor.next()));
      records.push(...handed.flatMap((each) => each ?? []));
      open = open.filter((_, i) => handed[i] !== undefined);
    }
    return records.slice(0, limit);
  } finally {
    await reading.close();
  }
}
