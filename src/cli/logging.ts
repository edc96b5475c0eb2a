import { type Logger, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.ts';

/** The log of this process on stderr: pretty on a terminal, JSON elsewhere. */
export class Logging {
  /** All lines whatever the level is. */
  verbose = false;
  level: LogLevel = 'info';
  #log: Logger | undefined;

  get log(): Log {
    const options = { level: this.verbose ? 'debug' : this.level, base: null };
    this.#log ??= process.stderr.isTTY
      ? pino(options, pretty({ destination: 2, ignore: 'pid,hostname' }))
      : pino(options, pino.destination({ dest: 2, sync: true }));
    return this.#log;
  }
}
