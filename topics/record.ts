import { isUtf8 } from 'node:buffer';
import type { GraphChange } from '../src/graph/edge.ts';
import { inspectJson } from './json-text.ts';
import { badEvent, seen } from './reasons.ts';
import type { EventTopic, ReadEvent } from './topic.ts';

/** The parts of a record that decide what it says. */
export interface EventRecord {
  readonly value: Buffer | null;
  /** The log's own time for the record, epoch ms; below 0 when the log has none. */
  readonly timestamp: number;
}

/** What a record may cost. */
export interface RecordLimits {
  /** Bytes of value. */
  readonly valueBytes: number;
  /** Objects and arrays inside one another, the event itself counted. */
  readonly depth: number;
}

export const DEFAULT_LIMITS: RecordLimits = { valueBytes: 65_536, depth: 8 };

/** How far an event's time may run ahead of its record's: a day, for clocks and zones that are off. */
export const MAX_AHEAD_MS = 24 * 3_600_000;

/**
 * What a record does to the graph: the whole way from bytes. Decided by the record alone, never by the wall clock,
 * so that a replay decides the same.
 * @throws BadEvent with a code out of REASONS.
 */
export function readRecord(
  topic: EventTopic,
  record: EventRecord,
  limits: RecordLimits = DEFAULT_LIMITS,
): readonly GraphChange[] {
  return readEvent(topic, record, limits).changes;
}

/** As {@link readRecord}, with the key the event is sent under. */
export function readEvent(
  topic: EventTopic,
  record: EventRecord,
  limits: RecordLimits = DEFAULT_LIMITS,
): ReadEvent {
  const { value, timestamp } = record;
  if (value === null) throw badEvent('null-value', 'the record has no value; send a JSON object');
  const event = topic.read(parse(value, limits));
  for (const change of event.changes) {
    if (timestamp >= 0 && change.at > timestamp + MAX_AHEAD_MS) {
      throw badEvent(
        'in-the-future',
        `at ${change.at} is more than a day after the record's own time ${timestamp}; check the sender's clock and unit`,
      );
    }
  }
  return event;
}

function parse(value: Buffer, limits: RecordLimits): unknown {
  if (value.length > limits.valueBytes) {
    throw badEvent(
      'too-large',
      `the value has ${value.length} bytes; at most ${limits.valueBytes} are allowed`,
    );
  }
  if (!isUtf8(value)) throw badEvent('not-json', 'the value is not UTF-8');
  const text = value.toString('utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw badEvent('not-json', `the value is not JSON: ${seen(text)}`, error);
  }
  if (isSuspicious(text)) {
    const found = inspectJson(text);
    if (found.depth > limits.depth) {
      throw badEvent('too-deep', `nested ${found.depth} deep; at most ${limits.depth} is allowed`);
    }
    if (found.protoField) throw badEvent('forbidden-field', 'a field is called "__proto__"; remove it');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw badEvent('wrong-shape', `expected a JSON object, seen ${seen(json)}`);
  }
  return json;
}

/** Whether the text needs a second look; a flat object without escapes and underscores in a row does not. */
function isSuspicious(text: string): boolean {
  return text.includes('{', 1) || text.includes('[') || text.includes('__proto__') || text.includes('\\u');
}
