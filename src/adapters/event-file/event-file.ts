import type { Readable } from 'node:stream';
import { openBytes } from './bytes.ts';
import { type EventFormat, eventsOf, formatOf, type LineEvent, MAX_LINE_BYTES } from './formats.ts';
import { splitLines } from './lines.ts';

/** One event of a file, and how far into the file it is. */
export interface FileEvent extends LineEvent {
  /** Bytes of the file read so far, packed when the file is: to be set against its size. */
  readonly bytesRead: number;
}

export interface EventFileOptions {
  /** By the file's name unless said: `.csv` and `.csv.gz` are csv, all else ndjson. */
  readonly format?: EventFormat | undefined;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** What `-` stands for; the process's own unless said. */
  readonly stdin?: Readable | undefined;
  /** A longer line is reported and skipped. */
  readonly maxLineBytes?: number | undefined;
}

/**
 * The events of a file, or of stdin for `-`, one at a time; gzip is unpacked. A line that can't be used is an event
 * with a `problem`; the reading goes on behind it.
 * @throws UsageError when there is no such file, FatalError when it can't be read to its end.
 */
export async function* readEvents(path: string, options: EventFileOptions = {}): AsyncGenerator<FileEvent> {
  const bytes = openBytes(path, options.stdin ?? process.stdin, options.signal);
  const lines = splitLines(bytes.chunks, options.maxLineBytes ?? MAX_LINE_BYTES);
  for await (const event of eventsOf(options.format ?? formatOf(path), lines)) {
    yield { ...event, bytesRead: bytes.bytesRead() };
  }
}
