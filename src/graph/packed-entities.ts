import type { EntityIndex } from './entity-index.ts';

/** Entities of rows that follow one another. Nothing is an object by the entity. */
export interface PackedEntities {
  /** [n] ascending. */
  readonly rows: Int32Array;
  readonly updates: Uint32Array;
  readonly firstSeen: Float64Array;
  readonly lastSeen: Float64Array;
  /** Their names as a store's keys have them, one after the other, and [n] where each ends. */
  readonly names: Uint8Array;
  readonly ends: Uint32Array;
}

/** Those of the rows from `first` on, copied. */
export function packEntities(index: EntityIndex, first: number, count: number): PackedEntities {
  const rows = Int32Array.from({ length: count }, (_, i) => first + i).filter((row) => index.names.has(row));
  const ends = new Uint32Array(rows.length);
  const updates = new Uint32Array(rows.length);
  const firstSeen = new Float64Array(rows.length);
  const lastSeen = new Float64Array(rows.length);
  let end = 0;
  rows.forEach((row, i) => {
    const kept = index.kept(row);
    updates[i] = kept.updates;
    firstSeen[i] = kept.firstSeen;
    lastSeen[i] = kept.lastSeen;
    ends[i] = end += index.names.nameAt(row)!.length;
  });
  const names = new Uint8Array(end);
  rows.forEach((row, i) => {
    names.set(index.names.nameAt(row)!, i === 0 ? 0 : ends[i - 1]);
  });
  return { rows, updates, firstSeen, lastSeen, names, ends };
}

/** Puts them back, and gives each to `visit` as it does. */
export function unpackEntities(
  packed: PackedEntities,
  index: EntityIndex,
  visit: (entity: { readonly row: number; readonly type: number; readonly updates: number }) => void,
): void {
  const { rows, updates, firstSeen, lastSeen, names, ends } = packed;
  for (let i = 0; i < rows.length; i++) {
    const start = i === 0 ? 0 : ends[i - 1]!;
    const row = rows[i]!;
    index.restore(names, start, ends[i]!, {
      row,
      updates: updates[i]!,
      firstSeen: firstSeen[i]!,
      lastSeen: lastSeen[i]!,
    });
    visit({ row, type: names[start]!, updates: updates[i]! });
  }
}
