import { z } from 'zod';

const noteSchema = z.object({
  /** Rises by one with each note, whichever reader leaves it. */
  sequence: z.int().min(1),
  /** The source that left it, by the name it took when its process made it. */
  reader: z.string(),
  /** What its writer asked to be kept. */
  note: z.object({ space: z.string(), epoch: z.int().min(0), step: z.int().min(0) }).optional(),
});

/** What a group's reader leaves with its offsets, as their metadata. */
export type GroupNote = z.infer<typeof noteSchema>;

export function encodeGroupNote(note: GroupNote): string {
  return JSON.stringify(note);
}

/** The latest of the notes among the metadata of a group's offsets; what is not ours is passed over. */
export function latestNote(metadata: Iterable<string | null>): GroupNote | undefined {
  let latest: GroupNote | undefined;
  for (const text of metadata) {
    const note = decode(text);
    if (note !== undefined && note.sequence > (latest?.sequence ?? 0)) latest = note;
  }
  return latest;
}

function decode(text: string | null): GroupNote | undefined {
  if (text === null) return undefined;
  try {
    return noteSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
