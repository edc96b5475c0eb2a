import type { MessagePort } from 'node:worker_threads';
import type { Entry, PackedBatch, StoreMemory } from '../../graph/store.ts';
import type { Failed } from '../threads.ts';

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

/** A call to a store's thread. The answers come over the call's own port. */
export type Call =
  | { readonly method: 'open'; readonly port: MessagePort }
  | { readonly method: 'getMany'; readonly port: MessagePort; readonly keys: PackedList }
  | { readonly method: 'runs'; readonly port: MessagePort; readonly prefix: Uint8Array }
  | { readonly method: 'write'; readonly port: MessagePort; readonly batch: PackedBatch }
  | { readonly method: 'memory'; readonly port: MessagePort }
  | { readonly method: 'close'; readonly port: MessagePort };

/** One answer to each call; `runs` is answered by any number of runs before `done`. */
export type Answer =
  | { readonly kind: 'done' }
  | { readonly kind: 'values'; readonly values: PackedList }
  | { readonly kind: 'run'; readonly run: PackedRun }
  | { readonly kind: 'memory'; readonly memory: StoreMemory | undefined }
  | Failed;

/** The caller's message over the port for each run that the caller has taken. */
export const TAKEN = 'taken';

/** Runs that the thread sends ahead of the caller. */
export const RUNS_AHEAD = 8;

/** Entries in one buffer, which moves between threads without a copy. */
export interface PackedRun {
  /** Key, value, key, value … */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [2n] end of each key and of each value. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

export function packRun(run: readonly Entry[]): PackedRun {
  const ends = new Uint32Array(2 * run.length);
  let end = 0;
  run.forEach(({ key, value }, i) => {
    ends[2 * i] = end += key.length;
    ends[2 * i + 1] = end += value.length;
  });
  const bytes = new Uint8Array(end);
  let at = 0;
  run.forEach(({ key, value }, i) => {
    bytes.set(key, at);
    bytes.set(value, ends[2 * i]);
    at = ends[2 * i + 1]!;
  });
  return { bytes, ends };
}

/** Views of the packed bytes. */
export function unpackRun({ bytes, ends }: PackedRun): Entry[] {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const run: Entry[] = [];
  let at = 0;
  for (let i = 0; i < ends.length; i += 2) {
    const middle = ends[i]!;
    const end = ends[i + 1]!;
    run.push({ key: whole.subarray(at, middle), value: whole.subarray(middle, end) });
    at = end;
  }
  return run;
}

/** Byte strings in one buffer, some of them missing. */
export interface PackedList {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [n] length of each byte string; -1 where the byte string is missing. */
  readonly lengths: Int32Array<ArrayBuffer>;
}

export function packList(list: readonly (Uint8Array | undefined)[]): PackedList {
  const lengths = Int32Array.from(list, (each) => each?.length ?? -1);
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + Math.max(0, length), 0));
  let at = 0;
  for (const each of list) {
    if (each === undefined) continue;
    bytes.set(each, at);
    at += each.length;
  }
  return { bytes, lengths };
}

/** Views of the packed bytes. */
export function unpackList({ bytes, lengths }: PackedList): (Buffer | undefined)[] {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  return Array.from(lengths, (length) => {
    if (length < 0) return undefined;
    at += length;
    return whole.subarray(at - length, at);
  });
}
