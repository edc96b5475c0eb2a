import { type DestinationStream, pino } from 'pino';
import { build as pretty } from 'pino-pretty';

/** Standard error: pretty on a terminal, JSON elsewhere. */
export function toStderr(): DestinationStream {
  if (process.stderr.isTTY) return pretty({ destination: 2, ignore: 'pid,hostname' });
  // A full disk takes no lines for a while, and ends no updater. Of those, a million characters wait.
  return pino.destination({ dest: 2, sync: true, maxLength: 1_000_000 }).on('error', () => undefined);
}
