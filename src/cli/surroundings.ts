import { InvalidArgumentError } from 'commander';
import { connect } from '../adapters/connect.ts';
import { openRocksdbThread } from '../adapters/rocksdb/thread.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Config } from '../config/resolve.ts';
import type { Log } from '../log.ts';
import type { Logging } from './logging.ts';
import type { Output } from './output.ts';

/** The outside that commands reach: logs of topics, and stores. */
export interface World {
  readonly connect: typeof connect;
  readonly openStore: typeof openRocksdbThread;
}

export const realWorld: World = { connect, openStore: openRocksdbThread };

/** What a command is given; configuration and log are made when it asks for them. */
export interface Surroundings {
  /** set: `key=value` of the configuration file, over what it says. */
  config(set?: readonly string[]): Promise<Config>;
  log(): Log;
  /** Of one that is to run on: the same, to be read again. */
  configuration(): Promise<Configuration>;
  readonly logging: Logging;
  readonly output: Output;
  readonly world: World;
  /** The process is to end with 1, though nothing was thrown. */
  fail(): void;
}

/** A help text's last part. */
export function example(lines: string): string {
  return `\nExample:\n  ${lines.split('\n').join('\n  ')}`;
}

/** Gathers an option that may be repeated. */
export function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

export function positiveInteger(text: string): number {
  const value = positiveNumber(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number above 0');
  return value;
}
