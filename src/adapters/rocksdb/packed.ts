import type { Entry } from '../../graph/store.ts';

/** Entries in one piece of memory, which a thread hands to another without a copy. */
export interface PackedRun {
  /** Key and value of each, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [2n] where each key and each value ends. */
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

/** Byte strings in one piece of memory, some of them missing. */
export interface PackedList {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** [n] length of each, -1 where it is missing. */
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
