import { Problem, seen } from './reasons.ts';

/** Numbers from here to {@link SECONDS_END} are taken for seconds (1973 to 2286). As milliseconds they are in early 1970. */
const SECONDS_START = 1e8;
const SECONDS_END = 1e10;
/** The last instant of a Date, epoch ms. */
const LAST_INSTANT = 8.64e15;

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)$/;
const ISO_WITHOUT_ZONE = /^\d{4}-\d\d-\d\d(?:T[\d:.,]+)?$/;
const DIGITS = /^\d+$/;

/** Epoch milliseconds of a sent time, or a problem. */
export function readInstant(sent: unknown): number | Problem {
  if (typeof sent === 'number') return readNumber(sent);
  if (typeof sent === 'string') return readText(sent);
  return new Problem('wrong-shape', `expected epoch milliseconds or ISO 8601, seen ${seen(sent)}`);
}

/** Epoch milliseconds of a time that was sent in seconds, or a problem. */
export function readSeconds(sent: unknown): number | Problem {
  if (typeof sent !== 'number')
    return new Problem('wrong-shape', `expected epoch seconds as a number, seen ${seen(sent)}`);
  if (sent >= SECONDS_END)
    return new Problem('bad-instant', `${sent} looks like milliseconds; expected epoch seconds`);
  const at = Math.round(sent * 1_000);
  return at > 0 ? at : new Problem('bad-instant', `${sent} is not after 1970-01-01T00:00:00Z`);
}

function readNumber(sent: number): number | Problem {
  const seconds = sent >= SECONDS_START && sent < SECONDS_END;
  if (!Number.isInteger(sent)) {
    const hint = seconds ? 'looks like seconds; send whole milliseconds' : 'send whole milliseconds';
    return new Problem('bad-instant', `${sent} is not a whole number of milliseconds; ${hint}`);
  }
  if (sent <= 0) return new Problem('bad-instant', `${sent} is not after 1970-01-01T00:00:00Z`);
  if (sent > LAST_INSTANT) {
    return new Problem('bad-instant', `${sent} is after the last possible instant; send epoch milliseconds`);
  }
  return seconds ? inSeconds(sent) : sent;
}

function readText(sent: string): number | Problem {
  const match = ISO.exec(sent);
  if (match !== null) {
    const at = instantOf(match);
    if (at === undefined) return new Problem('bad-instant', `no such date or time: ${seen(sent)}`);
    return at > 0 ? at : new Problem('bad-instant', `${seen(sent)} is not after 1970-01-01T00:00:00Z`);
  }
  if (DIGITS.test(sent)) {
    const value = Number(sent);
    if (value >= SECONDS_START && value < SECONDS_END) return inSeconds(value);
    return new Problem('bad-instant', `${seen(sent)} is text; send epoch milliseconds as a number`);
  }
  if (ISO_WITHOUT_ZONE.test(sent)) {
    return new Problem(
      'bad-instant',
      `${seen(sent)} is not an instant; send a time and a zone, such as Z or +02:00`,
    );
  }
  return new Problem(
    'bad-instant',
    `expected epoch milliseconds or ISO 8601 with a zone, seen ${seen(sent)}`,
  );
}

function inSeconds(value: number): Problem {
  return new Problem('looks-like-seconds', `${value} looks like seconds; send milliseconds`);
}

/** Epoch ms of a matched date and time, truncated to milliseconds; undefined for dates such as 30 February. */
function instantOf(match: RegExpExecArray): number | undefined {
  const part = (group: number): number => Number(match[group] ?? 0);
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)];
  const [zoneHour, zoneMinute] = [part(9), part(10)];
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return undefined;
  const date = new Date(0);
  // Not Date.UTC, which reads the year 75 as 1975.
  date.setUTCFullYear(year, month - 1, day);
  // A day or month that does not exist rolls over into another month.
  if (date.getUTCMonth() !== month - 1) return undefined;
  const milliseconds = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  date.setUTCHours(hour, minute, second, milliseconds);
  const zone = (zoneHour * 60 + zoneMinute) * 60_000 * (match[8] === '-' ? -1 : 1);
  return date.getTime() - zone;
}
