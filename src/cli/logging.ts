import { pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log } from '../log.ts';

/** Lines on stderr: pretty on a terminal, JSON elsewhere. */
export function createLog(verbose: boolean): Log {
  const options = { level: verbose ? 'debug' : 'info', base: null };
  if (process.stderr.isTTY) return pino(options, pretty({ destination: 2, ignore: 'pid,hostname' }));
  return pino(options, pino.destination({ dest: 2, sync: true }));
}
