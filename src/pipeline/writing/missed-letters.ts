import type { Message, Offsets, ReadableLog, Stretch } from '../ports.ts';
import { readContent } from '../reading/record-content.ts';
import type { UpdaterOptions } from '../updater-options.ts';

/** What the store has taken in while it was another process's to write dead letters, and that one never came to. */
export function missedBy(committed: Offsets, read: Offsets): Stretch[] {
  return Object.entries(read).flatMap(([topic, partitions]) =>
    Object.entries(partitions).flatMap(([partition, until]) => {
      const from = committed[topic]?.[Number(partition)] ?? 0;
      return from < until ? [{ topic, partition: Number(partition), from, until }] : [];
    }),
  );
}

/**
 * Sends the dead letters of these stretches, read from the log once more: a standby or a shadow takes bad records in
 * without writing any. Where retention was faster, of what is left. send: resolves once they are acknowledged.
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

/** What the log still holds of them. */
async function held(reader: ReadableLog, stretches: readonly Stretch[]): Promise<Stretch[]> {
  const ranges = await reader.ranges([...new Set(stretches.map(({ topic }) => topic))]);
  return stretches.flatMap((stretch) => {
    const { topic, partition, until } = stretch;
    const low = ranges.find((range) => range.topic === topic && range.partition === partition)?.low ?? until;
    const from = Math.max(stretch.from, low);
    return from < until ? [{ topic, partition, from, until }] : [];
  });
}
