import { connect, type LogConnection } from '../adapters/connect.ts';
import { openRocksdbThread } from '../adapters/rocksdb/thread.ts';
import type { ConfigSource } from '../config/load.ts';
import type { Config } from '../config/resolve.ts';
import { FatalError } from '../errors/errors.ts';
import type { Log } from '../log.ts';
import type { Output } from './output.ts';

/** The outside that commands reach: logs of topics, and stores. */
export interface World {
  readonly connect: typeof connect;
  readonly openStore: typeof openRocksdbThread;
}

export const realWorld: World = { connect, openStore: openRocksdbThread };

/** What every command is built with. */
export interface CommandContext {
  readonly config: ConfigSource;
  /** The log of this process, on stderr. */
  log(): Log;
  /** The log of topics at the configured brokers; its client writes to `log`. Closed by the command. */
  connect(config: Pick<Config, 'kafka'>, log?: Log): Promise<LogConnection>;
  readonly output: Output;
  readonly world: World;
  /** Lets the process end with exit code 1 although nothing was thrown. */
  fail(): void;
}

/** Bounds how long a one-shot command waits for the brokers. @throws FatalError `timeout`. */
export async function withinTime<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new FatalError('timeout', `${what}: no answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
