import type { DestinationStream } from 'pino';
import type { connect, LogConnection } from '../adapters/connect.ts';
import type { openRocksdb } from '../adapters/rocksdb/store.ts';
import type { ConfigSource } from '../config/load.ts';
import type { Config } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import { toStderr } from './logging.ts';
import type { Output } from './output.ts';

/** The outside that commands reach: logs of topics, stores, and where the process's own log goes. */
export interface World {
  readonly connect: typeof connect;
  readonly openStore: typeof openRocksdb;
  readonly logTo: () => DestinationStream;
}

/** Loaded by those commands alone that reach it. */
export const realWorld: World = {
  connect: async (...asked) => (await import('../adapters/connect.ts')).connect(...asked),
  openStore: async (...asked) => (await import('../adapters/rocksdb/store.ts')).openRocksdb(...asked),
  logTo: toStderr,
};

export interface CommandContext {
  readonly config: ConfigSource;
  log(): Log;
  /** The log of topics at the configured brokers; its client writes to `log`. The command disposes of it. */
  connect(config: Pick<Config, 'kafka'>, log?: Log): Promise<LogConnection>;
  /** The answer of the brokers to a one-shot question. @throws FatalError `timeout`; RetryableError `interrupted`. */
  ask<T>(question: Promise<T>, what: string): Promise<T>;
  /** Aborted by the first signal; a second one ends the process. A command ends soon, and leaves nothing half done. */
  readonly stopping: AbortSignal;
  /** Says how far a command is: on a terminal each time, in the log every ten seconds with the fields. */
  tell(line: string, fields?: object): void;
  /** As `tell`. @throws RetryableError `interrupted` once a signal has come. */
  progress(line: string): void;
  readonly output: Output;
  readonly world: World;
  /** Lets the process end with exit code 1 although nothing was thrown. */
  fail(): void;
}

/** Time in which the brokers answer a question of a command. */
const ANSWER_MS = 30_000;

/** As {@link CommandContext.ask}. */
export async function answered<T>(question: Promise<T>, what: string, stopping: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const stop = () => ended.reject(stopping.reason);
  const timer = setTimeout(
    () => ended.reject(new FatalError('timeout', `${what}: no answer within ${ANSWER_MS / 1000} s`)),
    ANSWER_MS,
  );
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  try {
    return await Promise.race([question, ended.promise]);
  } finally {
    clearTimeout(timer);
    stopping.removeEventListener('abort', stop);
  }
}
