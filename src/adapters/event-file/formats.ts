import { isUtf8 } from 'node:buffer';
import { BadEvent } from '../../errors/errors.ts';
import { CsvReader, type CsvRow } from './csv.ts';
import type { Line } from './lines.ts';

export const EVENT_FORMATS = ['ndjson', 'csv', 'higgs'] as const;
export type EventFormat = (typeof EVENT_FORMATS)[number];

/** One event of a file. Whether it fits its topic is for the topic to say. */
export interface LineEvent {
  /** Where it starts, from 1. */
  readonly line: number;
  /** The record's value as it would be sent; with a problem, the line as it is; null when too long to be read. */
  readonly raw: Buffer | null;
  /** The line could not be made into JSON at all. */
  readonly problem?: BadEvent;
}

/** The longest line that is read, in bytes: near the largest record a broker takes by default. */
export const MAX_LINE_BYTES = 1_000_000;

/** Turns lines into events; blank lines are left out. */
export function eventsOf(format: EventFormat, lines: AsyncIterable<Line>): AsyncIterable<LineEvent> {
  switch (format) {
    case 'ndjson':
      return perLine(lines, (bytes) => bytes);
    case 'higgs':
      return perLine(lines, higgsJson);
    case 'csv':
      return csvEvents(lines);
  }
}

/** The format that a file's name suggests. */
export function formatOf(path: string): EventFormat {
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

/** `actor target unixSeconds RT|RE|MT`, the SNAP Higgs activity file, as an engagement event. */
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
    // As text, not as an object: a column may be called __proto__, and that is for the topic to refuse.
    const fields = cells.map(([name, cell]) => `${JSON.stringify(name)}:${cellJson(name, cell)}`);
    return Buffer.from(`{${fields.join(',')}}`);
  });
}

/** Short enough to stay a finite number without an exponent. */
const NUMBER = /^-?\d{1,17}(\.\d{1,9})?$/;

/** Ids stay text, however numeric: 007 is not 7. Only a time is a number. */
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
    `the line is longer than ${MAX_LINE_BYTES} bytes; it was skipped`,
  );
  return { line, raw: null, problem };
}

function utf8(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new BadEvent('not-json', 'the line is not UTF-8; save the file as UTF-8');
  return bytes.toString('utf8');
}

function isBlank(bytes: Buffer): boolean {
  // Most lines show by their first byte that they are not.
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}

/** Text for a message: one line, bounded. */
function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
