import { asBuffer } from './layout.ts';

/** What is kept of an entity besides its name and its vector. Times are epoch ms of events. */
export interface Kept {
  readonly row: number;
  /** Edges it was an end of when trained. */
  readonly updates: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
}

/** The value of an entry of kind `n`; see `Layout`. */
export function encodeKept({ row, updates, firstSeen, lastSeen }: Kept): Buffer {
  const value = Buffer.allocUnsafe(24);
  value.writeUInt32LE(row, 0);
  value.writeUInt32LE(updates, 4);
  value.writeDoubleLE(firstSeen, 8);
  value.writeDoubleLE(lastSeen, 16);
  return value;
}

export function decodeKept(value: Uint8Array): Kept {
  const view = asBuffer(value);
  return {
    row: view.readUInt32LE(0),
    updates: view.readUInt32LE(4),
    firstSeen: view.readDoubleLE(8),
    lastSeen: view.readDoubleLE(16),
  };
}
