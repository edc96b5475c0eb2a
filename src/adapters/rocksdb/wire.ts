import type { Entry, PackedBatch, StoreMemory } from '../../graph/store.ts';

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

/** What a store's thread answers. */
export interface StoreMethods {
  open(): Promise<void>;
  getMany(keys: PackedList): Promise<PackedList>;
  /** Begins a scan that `next` takes further, and gives its first run. undefined: there is none. */
  runs(scan: { readonly id: number; readonly prefix: Uint8Array }): Promise<PackedRun | undefined>;
  /** undefined after the last run, and once the scan was left. */
  next(id: number): Promise<PackedRun | undefined>;
  leave(id: number): Promise<void>;
  write(batch: PackedBatch): Promise<void>;
  memory(): Promise<StoreMemory | undefined>;
  close(): Promise<void>;
}

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
