import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../wire-error.ts';
import type { PackedRun } from './packed.ts';

/** A call to the thread that reads a store. Its answers come over the port it brings. */
export type Call =
  | { readonly method: 'open'; readonly port: MessagePort }
  | { readonly method: 'getMany'; readonly port: MessagePort; readonly keys: readonly Uint8Array[] }
  | { readonly method: 'runs'; readonly port: MessagePort; readonly prefix: Uint8Array }
  | { readonly method: 'close'; readonly port: MessagePort };

/** One to each call; to `runs`, any number of runs before the end. */
export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'values'; readonly values: readonly (Uint8Array | undefined)[] }
  | { readonly kind: 'run'; readonly run: PackedRun }
  | { readonly kind: 'failed'; readonly error: WireError };

/** What the asking side says over the port for each run it has taken. */
export const TAKEN = 'taken';

/** Runs on their way at most: so many are read ahead. */
export const RUNS_AHEAD = 8;
