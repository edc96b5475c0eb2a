import { type DestinationStream, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { terminal } from './output.ts';

/** Standard error: pretty on a terminal, JSON elsewhere. */
export function toStderr(): DestinationStream {
  const pretty = prettyFactory({ ignore: 'pid,hostname' });
  if (process.stderr.isTTY) return { write: (line) => terminal.err(pretty(line).trimEnd()) };
  // A full disk takes no lines for a while, and ends no updater. Of those, a million characters wait.
  return pino.destination({ dest: 2, sync: true, maxLength: 1_000_000 }).on('error', () => undefined);
}
