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

/** The calls that a store's thread answers. */
export interface StoreMethods {
  open(): Promise<void>;
  getMany(keys: PackedList): Promise<PackedList>;
  /** Begins a scan that `next` takes further, and gives its first run. undefined: there is none. */
  runs(scan: { readonly id: number; readonly prefix: Uint8Array }): Promise<PackedList | undefined>;
  /** undefined after the last run, and once the scan was left. */
  next(id: number): Promise<PackedList | undefined>;
  leave(id: number): Promise<void>;
  write(batch: PackedBatch): Promise<void>;
  memory(): Promise<StoreMemory | undefined>;
  close(): Promise<void>;
}

/** Byte strings in one buffer, which moves between threads without a copy; some of them missing. */
export interface PackedList {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [n] length of each byte string; -1 where the byte string is missing. */
  readonly lengths: Int32Array<ArrayBuffer>;
}

/** Packs byte strings, each as bytes or as latin1 text. */
export function packList(list: readonly (Uint8Array | string | undefined)[]): PackedList {
  const lengths = Int32Array.from(list, (each) => each?.length ?? -1);
  const size = lengths.reduce((sum, length) => sum + Math.max(0, length), 0);
  const bytes = Buffer.from(new ArrayBuffer(size));
  let at = 0;
  for (const each of list) {
    if (each === undefined) continue;
    if (typeof each === 'string') bytes.write(each, at, 'latin1');
    else bytes.set(each, at);
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

/** Entries as key, value, key, value … */
export function packRun(run: readonly Entry[]): PackedList {
  return packList(run.flatMap(({ key, value }) => [key, value]));
}

/** Views of the packed bytes. */
export function unpackRun(packed: PackedList): Entry[] {
  const list = unpackList(packed);
  return Array.from({ length: list.length / 2 }, (_, i) => ({ key: list[2 * i]!, value: list[2 * i + 1]! }));
}
