import { type Logger, pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Log, LogLevel } from '../log.ts';

/** Lines on stderr: pretty on a terminal, JSON elsewhere. Their level can be set while they are being written. */
export class Logging {
  /** Whatever the level: all lines, until the process ends. */
  verbose = false;
  #level: LogLevel = 'info';
  readonly #made: Logger[] = [];

  get level(): LogLevel {
    return this.verbose ? 'debug' : this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
    for (const log of this.#made) log.level = this.level;
  }

  create(): Log {
    const options = { level: this.level, base: null };
    const log = process.stderr.isTTY
      ? pino(options, pretty({ destination: 2, ignore: 'pid,hostname' }))
      : pino(options, pino.destination({ dest: 2, sync: true }));
    this.#made.push(log);
    return log;
  }
}
