import type { Message, Offsets, ReadableLog, Stretch } from '../ports.ts';
import { readContent } from '../reading/record-content.ts';
import type { UpdaterOptions } from '../updater-options.ts';

/**
 * The stretches that this store has read and the group's last writer had not committed: dead letters of these were
 * not written.
 */
export function missedBy(committed: Offsets, read: Offsets): Stretch[] {
  return Object.entries(read).flatMap(([topic, partitions]) =>
    Object.entries(partitions).flatMap(([partition, until]) => {
      const from = committed[topic]?.[Number(partition)] ?? 0;
      return from < until ? [{ topic, partition: Number(partition), from, until }] : [];
    }),
  );
}

/**
 * Reads these stretches once more and sends their dead letters: a standby or a shadow reads bad records without
 * writing dead letters. Records that retention removed are left out. send: resolves once the letters are
 * acknowledged.
 */
export async function sendMissedLetters(
  options: Pick<UpdaterOptions, 'reader' | 'topics' | 'limits' | 'deadLetter'>,
  missed: readonly Stretch[],
  send: (letters: readonly Message[]) => Promise<void>,
): Promise<void> {
  if (missed.length === 0) return;
  const { reader, topics, limits, deadLetter } = options;
  const reading = await reader.read(await held(reader, missed));
  try {
    for (const cursor of reading.cursors) {
      for (let records = await cursor.next(); records !== undefined; records = await cursor.next()) {
        const letters = records.flatMap((record) => {
          const { problem } = readContent(record, topics, limits);
          const letter = problem && deadLetter(record, problem);
          return letter ? [letter] : [];
        });
        if (letters.length > 0) await send(letters);
      }
    }
  } finally {
    await reading.close();
  }
}

/** The parts of the stretches that the log still holds. */
async function held(reader: ReadableLog, stretches: readonly Stretch[]): Promise<Stretch[]> {
  const ranges = await reader.ranges([...new Set(stretches.map(({ topic }) => topic))]);
  return stretches.flatMap((stretch) => {
    const { topic, partition, until } = stretch;
    const low = ranges.find((range) => range.topic === topic && range.partition === partition)?.low ?? until;
    const from = Math.max(stretch.from, low);
    return from < until ? [{ topic, partition, from, until }] : [];
  });
}
