import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type StorePlace, writeAside } from '../../state/places.ts';

const offset = z.number().int().nonnegative();

const recordSchema = z.object({
  format: z.literal(1),
  graph: z.string(),
  /** As asked: a time before now was found once, at the first start. */
  from: z.string(),
  until: z.string(),
  publish: z.string().nullable(),
  /** Names its run of training, whichever processes it takes. */
  space: z.string(),
  /** All that decides the bytes, by name. */
  settings: z.record(z.string(), z.string()),
  /** Every partition of the graph's topics. */
  range: z.array(z.object({ topic: z.string(), partition: offset, from: offset, until: offset })),
  /** The log's own identity of each topic; a topic made again has other records at the same offsets. */
  topicIds: z.record(z.string(), z.string()),
  /** ISO 8601. */
  since: z.string(),
  /** ISO 8601; null while it isn't through. */
  finished: z.string().nullable(),
});

/** What a replay was asked and what it reads, kept beside its store so that it can go on after an interruption. */
export type ReplayRecord = z.infer<typeof recordSchema>;

/** undefined: the store is no replay's, or there is none. @throws FatalError when the record can't be read. */
export function readReplayRecord(place: StorePlace): ReplayRecord | undefined {
  const path = recordFile(place);
  try {
    return recordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new FatalError(
      'replay-record',
      `${path} can't be read: ${reasonOf(error)}; it says what the replay reads: remove ${place.folder} and replay again, or give another name in --into`,
      { cause: error },
    );
  }
}

export async function writeReplayRecord(place: StorePlace, record: ReplayRecord): Promise<void> {
  await writeAside(recordFile(place), `${JSON.stringify(record)}\n`);
}

function recordFile({ folder }: StorePlace): string {
  return join(folder, 'replay.json');
}
