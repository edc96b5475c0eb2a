import type { EntityKey } from './entity.ts';
import type { EntityRecord } from './graph-store.ts';

/** Every entity in memory: its row by its key, and what is kept of it by row. Rows only ever go up. */
export class EntityIndex {
  readonly #rows = new Map<EntityKey, number>();
  /** By row; undefined for relation rows and erased entities. */
  readonly #records: (Counted | undefined)[] = [];
  readonly #live = new Map<string, number>();
  #nextRow: number;

  /** nextRow: the first row not in use, which is also the number of relation rows in a fresh graph. */
  constructor(nextRow: number) {
    this.#nextRow = nextRow;
  }

  get nextRow(): number {
    return this.#nextRow;
  }

  /** Entities in all. */
  get size(): number {
    return this.#rows.size;
  }

  find(key: EntityKey): number | undefined {
    return this.#rows.get(key);
  }

  keyAt(row: number): EntityKey | undefined {
    return this.#records[row]?.key;
  }

  record(row: number): EntityRecord | undefined {
    return this.#records[row];
  }

  /** Entities by type. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#live);
  }

  /** Puts back what a store held. */
  restore(record: EntityRecord): void {
    this.#put({ ...record });
    this.#nextRow = Math.max(this.#nextRow, record.row + 1);
  }

  /** Gives a new entity the next row. */
  add(key: EntityKey, at: number): number {
    const row = this.#nextRow++;
    this.#put({ key, row, updates: 0, firstSeen: at, lastSeen: at });
    return row;
  }

  /** Notes that an event of time `at` named the entity. */
  saw(row: number, at: number): void {
    const record = this.#records[row];
    if (record === undefined) return;
    record.firstSeen = Math.min(record.firstSeen, at);
    record.lastSeen = Math.max(record.lastSeen, at);
  }

  /** Notes that an edge with this end was trained. */
  trained(row: number): void {
    const record = this.#records[row];
    if (record !== undefined) record.updates++;
  }

  /** Makes an entity that stays after an erasure look new. */
  reset(row: number, at: number): void {
    const record = this.#records[row];
    if (record === undefined) return;
    record.updates = 0;
    record.firstSeen = at;
    record.lastSeen = at;
  }

  remove(key: EntityKey): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#records[row] = undefined;
    this.#count(key, -1);
  }

  #put(record: Counted): void {
    this.#rows.set(record.key, record.row);
    this.#records[record.row] = record;
    this.#count(record.key, 1);
  }

  #count(key: EntityKey, change: number): void {
    const type = key.slice(0, key.indexOf(':'));
    this.#live.set(type, (this.#live.get(type) ?? 0) + change);
  }
}

type Counted = { -readonly [Field in keyof EntityRecord]: EntityRecord[Field] };
