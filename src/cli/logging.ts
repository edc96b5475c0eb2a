import { type DestinationStream, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.ts';

/** Characters of lines that wait for a disk with room. */
const KEPT = 1 << 20;

export function openLog(level: LogLevel, to: DestinationStream): Log {
  return pino({ level, base: null }, to);
}

/** Standard error: pretty on a terminal, JSON elsewhere. */
export function toStderr(): DestinationStream {
  if (process.stderr.isTTY) return pretty({ destination: 2, ignore: 'pid,hostname' });
  // A full disk takes no lines for a while, and ends no updater.
  return pino.destination({ dest: 2, sync: true, maxLength: KEPT }).on('error', () => undefined);
}
