import { type DestinationStream, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.ts';

export function openLog(level: LogLevel, to: DestinationStream): Log {
  return pino({ level, base: null }, to);
}

/** Standard error: pretty on a terminal, JSON elsewhere. */
export function toStderr(): DestinationStream {
  return process.stderr.isTTY
    ? pretty({ destination: 2, ignore: 'pid,hostname' })
    : pino.destination({ dest: 2, sync: true });
}
