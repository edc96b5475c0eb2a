import { type DestinationStream, type Logger, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.ts';

/** The log of this process. */
export class Logging {
  /** All lines whatever the level is. */
  verbose = false;
  level: LogLevel = 'info';
  readonly #to: () => DestinationStream;
  #log: Logger | undefined;

  /** to: opens where the lines go, once there is a line. */
  constructor(to: () => DestinationStream) {
    this.#to = to;
  }

  get log(): Log {
    this.#log ??= pino({ level: this.verbose ? 'debug' : this.level, base: null }, this.#to());
    return this.#log;
  }
}

/** Standard error: pretty on a terminal, JSON elsewhere. */
export function toStderr(): DestinationStream {
  return process.stderr.isTTY
    ? pretty({ destination: 2, ignore: 'pid,hostname' })
    : pino.destination({ dest: 2, sync: true });
}
