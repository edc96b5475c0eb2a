import type { Readable } from 'node:stream';
import { BadEvent } from '../../errors/errors.ts';
import { readBytes, splitLines } from './lines.ts';

/** One event of a file, not yet checked against its topic. */
export interface FileEvent {
  /** Number of the event's line, from 1. */
  readonly line: number;
  /** The record's value; null when the line is too long. */
  readonly raw: Buffer | null;
  /** Why the line could not be read. */
  readonly problem?: BadEvent;
}

/** Maximum bytes of a line: near the largest record that a broker takes by default. */
const MAX_LINE_BYTES = 1_000_000;

export interface EventFileOptions {
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The stream that `-` means; by default the stdin of the process. */
  readonly stdin?: Readable | undefined;
  /** A longer line is reported and skipped. */
  readonly maxLineBytes?: number | undefined;
}

/**
 * The events of a file, or of stdin for `-`, one on each line, one at a time; gzip is unpacked, and blank lines are skipped. A
 * line that is too long is an event with a `problem`, and the reading continues with the next line.
 * @throws UsageError when there is no such file, FatalError when the file can't be read to its end.
 */
export async function* readEvents(path: string, options: EventFileOptions = {}): AsyncGenerator<FileEvent> {
  const { signal, stdin = process.stdin, maxLineBytes = MAX_LINE_BYTES } = options;
  for await (const { line, bytes } of splitLines(readBytes(path, stdin, signal), maxLineBytes)) {
    if (bytes === null) {
      const message = `the line is longer than ${maxLineBytes} bytes and was skipped`;
      yield { line, raw: null, problem: new BadEvent('too-large', message) };
    } else if (!isBlank(bytes)) yield { line, raw: bytes };
  }
}

function isBlank(bytes: Buffer): boolean {
  // The first byte already decides for most lines.
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}
