import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FatalError, reasonOf } from '../../errors/errors.ts';
import { type StorePlace, writeAside } from '../../state/places.ts';

const offset = z.number().int().nonnegative();

const recordSchema = z.object({
  format: z.literal(1),
  graph: z.string(),
  /** As typed; a time before now was resolved once, at the first start. */
  from: z.string(),
  until: z.string(),
  publish: z.string().nullable(),
  /** Name of the training run, also over several processes. */
  space: z.string(),
  /** The settings that decide the bytes of the store, by name. */
  settings: z.record(z.string(), z.string()),
  /** Every partition of the graph's topics. */
  range: z.array(z.object({ topic: z.string(), partition: offset, from: offset, until: offset })),
  /** Id of each topic in the log; a recreated topic has other records at the same offsets. */
  topicIds: z.record(z.string(), z.string()),
  /** ISO 8601. */
  since: z.string(),
  /** ISO 8601; null until the replay has finished. */
  finished: z.string().nullable(),
});

/** The options and the range of a replay, kept beside its store so that the replay can continue after an interruption. */
export type ReplayRecord = z.infer<typeof recordSchema>;

/** undefined: there is no store, or the store was not made by a replay. @throws FatalError when the record cannot be read. */
export function readReplayRecord(place: StorePlace): ReplayRecord | undefined {
  const path = recordFile(place);
  try {
    return recordSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new FatalError(
      'replay-record',
      `${path} can't be read: ${reasonOf(error)}; the file says what the replay reads: remove ${place.folder} and replay again, or give another name with --into`,
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
