import { isUtf8 } from 'node:buffer';
import type { GraphChange } from '../src/graph/edge.ts';
import { inspectJson } from './json-text.ts';
import { badEvent, seen } from './reasons.ts';
import type { EventTopic, ReadEvent } from './topic.ts';

/** The parts of a record that decide its event. */
export interface EventRecord {
  readonly value: Buffer | null;
  /** The record's timestamp in the log, epoch ms; below 0 when the log has none. */
  readonly timestamp: number;
}

/** Limits on the value of a record. */
export interface RecordLimits {
  /** Most bytes. */
  readonly valueBytes: number;
  /** Deepest nesting of objects and arrays, the event itself included. */
  readonly depth: number;
}

export const DEFAULT_LIMITS: RecordLimits = { valueBytes: 65_536, depth: 8 };

/** How far an event's time may be ahead of its record's timestamp: a day, for wrong clocks and zones. */
export const MAX_AHEAD_MS = 24 * 3_600_000;

/**
 * The changes of a record to the graph, from its bytes. They depend on the record alone, never on the wall clock, so that
 * a replay gives the same changes.
 * @throws BadEvent with a code of REASONS.
 */
export function readRecord(
  topic: EventTopic,
  record: EventRecord,
  limits: RecordLimits = DEFAULT_LIMITS,
): readonly GraphChange[] {
  return readEvent(topic, record, limits).changes;
}

/** As {@link readRecord}, with the key of the event. */
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
        `at ${change.at} is more than a day after the record's timestamp ${timestamp}; check the sender's clock and unit`,
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

/** Whether the text must be inspected. A flat object without `__proto__` and escapes needs no inspection. */
function isSuspicious(text: string): boolean {
  return text.includes('{', 1) || text.includes('[') || text.includes('__proto__') || text.includes('\\u');
}
