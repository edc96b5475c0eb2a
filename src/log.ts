/** Takes log lines: one line for each event that matters to an operator. The fields come first, as in pino. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = keyof Log;

/** A log for tests and tools that drops every line. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
