import type { ReadableLog, SourceRecord, Stretch } from '../ports.ts';

/** All that topics hold now: the bounds are looked at once, and what is written later is not read. */
export async function wholeTopics(
  log: Pick<ReadableLog, 'ranges'>,
  topics: readonly string[],
): Promise<Stretch[]> {
  const ranges = await log.ranges(topics);
  return ranges.map(({ topic, partition, low, high }) => ({ topic, partition, from: low, until: high }));
}

/**
 * Takes all records of the stretches, one stretch after the other: the order is the same each time, and a key, which is in one
 * partition alone, is read from its first record to its last. `take` gets at least one record, in offset order, and is awaited.
 * @throws what the cursors throw, see `StretchCursor`.
 */
export async function eachRecord(
  log: Pick<ReadableLog, 'read'>,
  stretches: readonly Stretch[],
  take: (records: readonly SourceRecord[]) => Promise<void> | void,
): Promise<void> {
  const reading = await log.read(stretches);
  try {
    for (const cursor of reading.cursors) {
      for (let records = await cursor.next(); records !== undefined; records = await cursor.next())
        await take(records);
    }
  } finally {
    await reading.close();
  }
}
