import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { BadEvent } from '../../errors/errors.ts';
import { CsvReader, type CsvRow } from './csv.ts';
import { type Line, openBytes, splitLines } from './lines.ts';

export const EVENT_FORMATS = ['ndjson', 'csv', 'higgs'] as const;
export type EventFormat = (typeof EVENT_FORMATS)[number];

/** One event of a file, not yet checked against its topic. */
export interface LineEvent {
  /** Number of the event's first line, from 1. */
  readonly line: number;
  /** The record's value; with a problem, the unchanged line; null when the line is too long. */
  readonly raw: Buffer | null;
  /** Why the line could not be turned into JSON. */
  readonly problem?: BadEvent;
}

/** Maximum bytes of a line: near the largest record that a broker takes by default. */
const MAX_LINE_BYTES = 1_000_000;

/** One event of a file, with the position in the file. */
export interface FileEvent extends LineEvent {
  /** Bytes of the file read so far, before unpacking: comparable with the file's size. */
  readonly bytesRead: number;
}

export interface EventFileOptions {
  /** By default by the file's name: csv for `.csv` and `.csv.gz`, else ndjson. */
  readonly format?: EventFormat | undefined;
  /** Ends the reading without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The stream that `-` means; by default the stdin of the process. */
  readonly stdin?: Readable | undefined;
  /** A longer line is reported and skipped. */
  readonly maxLineBytes?: number | undefined;
}

/**
 * The events of a file, or of stdin for `-`, one at a time; gzip is unpacked. A wrong line is an event with a `problem`,
 * and the reading continues with the next line.
 * @throws UsageError when there is no such file, FatalError when the file can't be read to its end.
 */
export async function* readEvents(path: string, options: EventFileOptions = {}): AsyncGenerator<FileEvent> {
  const bytes = openBytes(path, options.stdin ?? process.stdin, options.signal);
  const lines = splitLines(bytes.chunks, options.maxLineBytes ?? MAX_LINE_BYTES);
  for await (const event of eventsOf(options.format ?? formatOf(path), lines)) {
    yield { ...event, bytesRead: bytes.bytesRead() };
  }
}

/** Turns lines into events; blank lines are skipped. */
function eventsOf(format: EventFormat, lines: AsyncIterable<Line>): AsyncIterable<LineEvent> {
  switch (format) {
    case 'ndjson':
      return perLine(lines, (bytes) => bytes);
    case 'higgs':
      return perLine(lines, higgsJson);
    case 'csv':
      return csvEvents(lines);
  }
}

/** The format by the file's name. */
function formatOf(path: string): EventFormat {
  return /\.csv(\.gz)?$/i.test(path) ? 'csv' : 'ndjson';
}

async function* perLine(
  lines: AsyncIterable<Line>,
  toJson: (bytes: Buffer) => Buffer,
): AsyncGenerator<LineEvent> {
  for await (const { line, bytes } of lines) {
    if (bytes === null) yield tooLong(line);
    else if (!isBlank(bytes)) yield attempt(line, bytes, () => toJson(bytes));
  }
}

const HIGGS_ACTIONS = new Map([
  ['RT', 'retweet'],
  ['RE', 'reply'],
  ['MT', 'mention'],
]);

/** A line `actor target unixSeconds RT|RE|MT` of the SNAP Higgs activity file as an engagement event. */
function higgsJson(bytes: Buffer): Buffer {
  const text = utf8(bytes);
  const [userId, tweetId, seconds = '', interaction, ...rest] = text.trim().split(/\s+/);
  if (interaction === undefined || rest.length > 0 || !/^\d{1,12}$/.test(seconds)) {
    throw new BadEvent('wrong-shape', `expected "actor target unixSeconds RT|RE|MT", seen ${shown(text)}`);
  }
  const action = HIGGS_ACTIONS.get(interaction);
  if (action === undefined) {
    throw new BadEvent('unknown-action', `expected RT, RE or MT, seen ${shown(interaction)}`);
  }
  return Buffer.from(JSON.stringify({ userId, tweetId, action, at: Number(seconds) * 1000 }));
}

async function* csvEvents(lines: AsyncIterable<Line>): AsyncGenerator<LineEvent> {
  const reader = new CsvReader();
  for await (const { line, bytes } of lines) {
    if (bytes === null) yield tooLong(line);
    else if (reader.isOpen || !isBlank(bytes)) {
      for (const record of reader.take({ line, bytes })) yield csvEvent(record);
    }
  }
  for (const record of reader.end()) yield csvEvent(record);
}

function csvEvent({ line, bytes, cells, wrong }: CsvRow): LineEvent {
  return attempt(line, bytes, () => {
    if (wrong !== undefined) throw new BadEvent('wrong-shape', `${wrong}: ${shown(bytes.toString('utf8'))}`);
    utf8(bytes);
    // Built as text, because an object can't hold a column named __proto__, which the topic must see and reject.
    const fields = cells.map(([name, cell]) => `${JSON.stringify(name)}:${cellJson(name, cell)}`);
    return Buffer.from(`{${fields.join(',')}}`);
  });
}

/** Digits that stay a finite number without an exponent. */
const NUMBER = /^-?\d{1,17}(\.\d{1,9})?$/;

/** Only a time becomes a number. Ids stay text: 007 is not 7. */
function cellJson(name: string, cell: string): string {
  return name === 'at' && NUMBER.test(cell) ? String(Number(cell)) : JSON.stringify(cell);
}

function attempt(line: number, bytes: Buffer, toJson: () => Buffer): LineEvent {
  try {
    return { line, raw: toJson() };
  } catch (error) {
    if (!(error instanceof BadEvent)) throw error;
    return { line, raw: bytes, problem: error };
  }
}

function tooLong(line: number): LineEvent {
  const problem = new BadEvent(
    'too-large',
    `the line is longer than ${MAX_LINE_BYTES} bytes and was skipped`,
  );
  return { line, raw: null, problem };
}

function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new BadEvent('not-json', 'the line is not UTF-8; save the file as UTF-8');
  return bytes.toString('utf8');
}

function isBlank(bytes: Buffer): boolean {
  // The first byte already decides for most lines.
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}

/** Text as one line of bounded length, for a message. */
function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
