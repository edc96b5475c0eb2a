import type { EntityKey } from './entity.ts';
import type { EntityRecord } from './graph-store.ts';

const FIRST_CAPACITY = 1024;

/**
 * Every entity in memory: its row by its key, and what is kept of it by row. Rows only ever go up. Numbers are in
 * typed arrays, 20 bytes a row: as objects they took 100, and the collector walked all of them.
 */
export class EntityIndex {
  readonly #rows = new Map<EntityKey, number>();
  /** By row; undefined for relation rows and erased entities. */
  readonly #keys: (EntityKey | undefined)[] = [];
  #updates = new Uint32Array(FIRST_CAPACITY);
  #firstSeen = new Float64Array(FIRST_CAPACITY);
  #lastSeen = new Float64Array(FIRST_CAPACITY);
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
    return this.#keys[row];
  }

  /** A copy of what is kept; undefined where the row is no entity's. */
  record(row: number): EntityRecord | undefined {
    const key = this.#keys[row];
    if (key === undefined) return undefined;
    const updates = this.#updates[row] ?? 0;
    return { key, row, updates, firstSeen: this.#firstSeen[row] ?? 0, lastSeen: this.#lastSeen[row] ?? 0 };
  }

  /** Entities by type. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#live);
  }

  /** Puts back what a store held. */
  restore(record: EntityRecord): void {
    this.#put(record);
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
    if (this.#keys[row] === undefined) return;
    this.#firstSeen[row] = Math.min(this.#firstSeen[row] ?? at, at);
    this.#lastSeen[row] = Math.max(this.#lastSeen[row] ?? at, at);
  }

  /** Notes that an edge with this end was trained. */
  trained(row: number): void {
    if (this.#keys[row] !== undefined) this.#updates[row] = (this.#updates[row] ?? 0) + 1;
  }

  /** Makes an entity that stays after an erasure look new. */
  reset(row: number, at: number): void {
    if (this.#keys[row] === undefined) return;
    this.#updates[row] = 0;
    this.#firstSeen[row] = at;
    this.#lastSeen[row] = at;
  }

  remove(key: EntityKey): void {
    const row = this.#rows.get(key);
    if (row === undefined) return;
    this.#rows.delete(key);
    this.#keys[row] = undefined;
    this.#count(key, -1);
  }

  #put({ key, row, updates, firstSeen, lastSeen }: EntityRecord): void {
    if (row >= this.#updates.length) this.#grow(row + 1);
    this.#rows.set(key, row);
    this.#keys[row] = key;
    this.#updates[row] = updates;
    this.#firstSeen[row] = firstSeen;
    this.#lastSeen[row] = lastSeen;
    this.#count(key, 1);
  }

  #grow(rows: number): void {
    const capacity = Math.max(rows, this.#updates.length * 2);
    const updates = new Uint32Array(capacity);
    const firstSeen = new Float64Array(capacity);
    const lastSeen = new Float64Array(capacity);
    updates.set(this.#updates);
    firstSeen.set(this.#firstSeen);
    lastSeen.set(this.#lastSeen);
    this.#updates = updates;
    this.#firstSeen = firstSeen;
    this.#lastSeen = lastSeen;
  }

  #count(key: EntityKey, change: number): void {
    const type = key.slice(0, key.indexOf(':'));
    this.#live.set(type, (this.#live.get(type) ?? 0) + change);
  }
}
