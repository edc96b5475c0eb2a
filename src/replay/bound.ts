import { fullName, topicNamed } from '../../topics/declaration.ts';
import { readInstant } from '../../topics/instant.ts';
import { Problem, seen } from '../../topics/reasons.ts';
import type { TopicNames } from '../../topics/topic.ts';
import type { Offsets } from '../pipeline/ports.ts';

/** Where a range starts or ends, as typed. */
export type Bound =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** By the log's time of the records. */
  | { readonly kind: 'time'; readonly timeMs: number }
  /** By full topic name; partitions that are not named are not bounded. */
  | { readonly kind: 'offsets'; readonly offsets: Offsets };

export interface BoundReading {
  readonly nowMs: number;
  readonly topics: readonly TopicNames[];
  readonly prefix: string;
}

/** Both ends of a range. undefined: `problems` says what is wrong, a line each. */
export function readRange(
  { from, until }: { readonly from: string; readonly until: string },
  reading: BoundReading,
  problems: string[],
): { readonly from: Bound; readonly until: Bound } | undefined {
  const first = readBound('--from', from, reading, problems);
  const end = readBound('--until', until, reading, problems);
  if (first?.kind === 'time' && end?.kind === 'time' && end.timeMs <= first.timeMs)
    problems.push(`--until: expected a time after that of --from; seen ${until}, from ${from}`);
  return first && end && { from: first, until: end };
}

const EPOCH = /^\d+$/;
const OFFSET = /^([^/:,]+)\/(\d+):(\d+)$/;

/** Reads `earliest`, `latest`, `engagement/0:123,engagement/1:77`, a time, or `2h` before now. undefined: `problems` has a line more. */
export function readBound(
  option: '--from' | '--until',
  text: string,
  reading: BoundReading,
  problems: string[],
): Bound | undefined {
  const open = option === '--from' ? 'earliest' : 'latest';
  if (text === open) return { kind: open };
  if (text.includes('/')) return readOffsets(option, text, reading, problems);
  const agoMs = durationMs(text);
  if (agoMs !== undefined) {
    const timeMs = Math.round(reading.nowMs - agoMs);
    if (timeMs > 0) return { kind: 'time', timeMs };
    problems.push(`${option}: ${text} before now is before 1970; use ${open}`);
    return undefined;
  }
  const instant = readInstant(EPOCH.test(text) ? Number(text) : text);
  if (!(instant instanceof Problem)) return { kind: 'time', timeMs: instant };
  const offsets = 'offsets such as engagement/0:123,engagement/1:77';
  problems.push(
    instant.reason === 'looks-like-seconds'
      ? `${option}: ${instant.message}`
      : `${option}: expected ${open}, ${offsets}, a time (ISO 8601 with a zone, or epoch ms) or how long before now, such as 2h; seen ${seen(text)}`,
  );
  return undefined;
}

function readOffsets(
  option: string,
  text: string,
  { topics, prefix }: BoundReading,
  problems: string[],
): Bound | undefined {
  const before = problems.length;
  const offsets: Offsets = {};
  for (const part of text.split(',')) {
    const [, named = '', partition = '', offset = ''] = OFFSET.exec(part.trim()) ?? [];
    const found = topicNamed(prefix, topics, named);
    const topic = found && fullName(prefix, found);
    if (named === '' || !Number.isSafeInteger(Number(offset)) || !Number.isSafeInteger(Number(partition))) {
      problems.push(`${option}: expected TOPIC/PARTITION:OFFSET, seen ${seen(part)}`);
    } else if (topic === undefined) {
      problems.push(
        `${option}: the graph reads ${topics.map((each) => fullName(prefix, each)).join(', ')}; seen ${seen(named)}`,
      );
    } else if (offsets[topic]?.[Number(partition)] !== undefined) {
      problems.push(`${option}: ${named}/${partition} is there twice, seen ${seen(part)}`);
    } else {
      offsets[topic] = { ...offsets[topic], [Number(partition)]: Number(offset) };
    }
  }
  return problems.length === before ? { kind: 'offsets', offsets } : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
};
const DURATION = /^(\d+(?:\.\d+)?)([smhdw])$/;

/** Milliseconds of `30s`, `2h`, `1.5d`; undefined where the text is no duration. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit = ''] = DURATION.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  return amount === undefined || unitMs === undefined ? undefined : Number(amount) * unitMs;
}
