import type { MessagePort } from 'node:worker_threads';
import type { PackedBatch, StoreMemory } from '../../graph/store.ts';
import type { WireError } from '../wire-error.ts';
import type { PackedList, PackedRun } from './packed.ts';

/** What a store's thread is started with. */
export interface Opening {
  readonly folder: string;
  readonly options: OpenOptions;
}

/** See `openRocksdb`. */
export interface OpenOptions {
  readonly readOnly?: boolean;
  readonly durable?: boolean;
}

/** A call to the thread of a store. Its answers come over the port it brings. */
export type Call =
  | { readonly method: 'open'; readonly port: MessagePort }
  | { readonly method: 'getMany'; readonly port: MessagePort; readonly keys: PackedList }
  | { readonly method: 'runs'; readonly port: MessagePort; readonly prefix: Uint8Array }
  | { readonly method: 'write'; readonly port: MessagePort; readonly batch: PackedBatch }
  | { readonly method: 'memory'; readonly port: MessagePort }
  | { readonly method: 'close'; readonly port: MessagePort };

/** One to each call; to `runs`, any number of runs before the end. */
export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'values'; readonly values: PackedList }
  | { readonly kind: 'run'; readonly run: PackedRun }
  | { readonly kind: 'memory'; readonly memory: StoreMemory | undefined }
  | { readonly kind: 'failed'; readonly error: WireError };

/** What the asking side says over the port for each run it has taken. */
export const TAKEN = 'taken';

/** Runs on their way at most: so many are read ahead. */
export const RUNS_AHEAD = 8;
