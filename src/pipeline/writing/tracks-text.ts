import { z } from 'zod';
import { parseEntityKey } from '../../graph/entity.ts';
import { POINT_NUMBERS, Track } from './track.ts';
import { MOST_TRACKS, type Tracks } from './tracks.ts';

/*
 * Numbers go as the base64 of their little-endian bytes: as digits they are twice the text, and ten times the time, of
 * which a commit may have to wait.
 */
const storedSchema = z.object({
  format: z.literal(1),
  /** The one looked up last at the end. */
  tracks: z.array(
    z.object({
      entity: z.string(),
      since: z.number(),
      space: z.string().optional(),
      /** [dim] float32 */
      first: z.string().optional(),
      /** [n, 5] float64 */
      points: z.string(),
    }),
  ),
});

/** Tracks as text, to be kept over a restart. */
export function tracksToText(tracks: Tracks): string {
  const stored = [...tracks.entries()].map(([entity, { state }]) => ({
    ...{ entity, since: state.since, space: state.space },
    first: state.first && toBase64(state.first),
    points: toBase64(Float64Array.from(state.numbers)),
  }));
  return JSON.stringify({ format: 1, tracks: stored });
}

/** Puts back what `tracksToText` gave. @throws where the text is none of these; nothing is put back then. */
export function restoreTracks(tracks: Tracks, text: string): void {
  const { tracks: stored } = storedSchema.parse(JSON.parse(text));
  const entries = stored.slice(-MOST_TRACKS).map(({ entity, since, space, first, points }) => {
    const numbers = [...new Float64Array(fromBase64(points, 8 * POINT_NUMBERS))];
    const vector = first === undefined ? undefined : new Float32Array(fromBase64(first, 4));
    return [parseEntityKey(entity), new Track({ since, space, first: vector, numbers })] as const;
  });
  for (const [key, track] of entries) tracks.put(key, track);
}

function toBase64({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function fromBase64(text: string, unit: number): ArrayBuffer {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  if (bytes.length % unit !== 0)
    throw new Error(`${bytes.length} bytes of numbers; expected a multiple of ${unit}`);
  return bytes.buffer;
}
