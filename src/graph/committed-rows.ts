import type { RowsToWrite } from './row-writes.ts';

/** A vector as it is published (little-endian float32), and the step of the commit that wrote it. */
export interface StoredVector {
  readonly bytes: Uint8Array;
  readonly step: number;
}

/** The index of `row` in the ascending `rows`, or −1. */
export function placeOf(rows: Int32Array, row: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = rows[middle] ?? row;
    if (found === row) return middle;
    if (found < row) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** The rows of the last commit, still in memory: the publisher reads what was just written. */
export class CommittedRows {
  readonly #written: RowsToWrite;
  readonly #ascending: boolean;
  readonly #bytes: Buffer;

  constructor(written: RowsToWrite) {
    const { rows, floats } = written;
    this.#written = written;
    this.#ascending = rows.every((row, i) => i === 0 || row > rows[i - 1]!);
    this.#bytes = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
  }

  /** A copy of the row's vector. Undefined where the commit did not write the row, or its rows do not ascend. */
  vector(row: number): StoredVector | undefined {
    const { dim, rows, steps, erased } = this.#written;
    const place = this.#ascending && !erased.has(row) ? placeOf(rows, row) : -1;
    if (place === -1) return undefined;
    const from = place * (dim + 2) * 4;
    const bytes = Buffer.from(this.#bytes.subarray(from, from + dim * 4));
    return { bytes, step: typeof steps === 'number' ? steps : steps[place]! };
  }
}
