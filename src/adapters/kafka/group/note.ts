import { z } from 'zod';

const noteSchema = z.object({
  /** Rises by one with each note, whichever process leaves it. */
  sequence: z.int().min(1),
  /** Random name of the process that left the note. */
  reader: z.string(),
  /** The writer's own note; see `WriterNote`. */
  note: z.object({ space: z.string(), epoch: z.int().min(0), step: z.int().min(0) }).optional(),
});

/** The note that a group's leader leaves as the metadata of the group's offsets. */
export type GroupNote = z.infer<typeof noteSchema>;

export function encodeGroupNote(note: GroupNote): string {
  return JSON.stringify(note);
}

/** The latest note in the metadata of a group's offsets. Metadata that is no such note is ignored. */
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
