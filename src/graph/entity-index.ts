import { COLON, type EntityKey, entityKey, isOfType, MAX_ID_BYTES, writeId } from './entity.ts';
import { type EntityState, PAGE_ROWS } from './layout.ts';
import { NameIndex } from './name-index.ts';
import { PagedNumbers } from './paged-numbers.ts';

/** Numbers of a state, and the places of two of them, after its updates. */
export const STATE_NUMBERS = 3;
const [FIRST_SEEN, LAST_SEEN] = [1, 2];
/** In place of a name's type: the row has no entity. */
export const NO_NAME = 255;

/** States of entities in a few arrays: of some rows, and of those whose turn it is to be written. */
export interface EntityStates {
  /** [n] ascending. */
  readonly rows: Int32Array;
  /** The rows from `from` to before `to`. All rows have their turn, then the next one begins. */
  readonly turn: number;
  readonly from: number;
  readonly to: number;
  /** [n + to − from, STATE_NUMBERS] */
  readonly states: Float64Array;
}

export type TurnPart = Pick<EntityStates, 'turn' | 'from' | 'to'>;

/** What a commit writes of entities, as of one moment. */
export interface PackedEntities extends EntityStates {
  /** Pages in which a name came or went. names: as in an entry of the store. */
  readonly pages: readonly { readonly page: number; readonly names: Uint8Array }[];
}

/**
 * Every entity in memory: its row by its key, its state by row. No objects per entity: names are bytes as in the store's
 * keys, numbers are in typed arrays, 24 bytes a row, in pages: an array that doubles is copied at once.
 */
export class EntityIndex {
  /** Rows by name as in the store's keys: type, length of the id less one, id. */
  readonly names: NameIndex;
  readonly #types: string[];
  /** Entities of each type. */
  readonly #live: number[];
  /** Scratch for the name that is looked up. */
  readonly #name = Buffer.alloc(2 + 3 * MAX_ID_BYTES);
  /** [rows, STATE_NUMBERS] side by side, for one memory access. */
  readonly #states = new PagedNumbers((numbers) => new Float64Array(numbers));
  #nextRow: number;
  /** Pages in which a name came or went since they were taken. */
  readonly #pages = new Set<number>();
  /** Which rows below `nextRow` may be used again, and which not yet. */
  readonly free: FreeRows;

  /**
   * nextRow: the first row never in use; in a fresh graph this is the number of relation rows.
   * entityTypes: in the store's order, so that names can be taken from its keys; new types are appended.
   * firstRow: the first row of entities, where it is not `nextRow`; freed: the rows that the last commit freed.
   */
  constructor(
    nextRow: number,
    entityTypes: readonly string[] = [],
    { firstRow = nextRow, freed = [] }: { firstRow?: number; freed?: readonly number[] } = {},
  ) {
    this.names = new NameIndex(nextRow - firstRow);
    this.#nextRow = nextRow;
    this.free = new FreeRows(firstRow, freed);
    this.#types = [...entityTypes];
    this.#live = entityTypes.map(() => 0);
  }

  get nextRow(): number {
    return this.#nextRow;
  }

  /** The number of rows below `nextRow` that are free for an entity. */
  get freeRows(): number {
    return this.free.count(this.#nextRow, this.size);
  }

  get size(): number {
    return this.names.size;
  }

  find(key: EntityKey): number | undefined {
    const row = this.names.find(this.#name, 0, this.#write(key));
    return row < 0 ? undefined : row;
  }

  /** What is kept of an entity; undefined where there is none. */
  stateBy(key: EntityKey): EntityState | undefined {
    const row = this.find(key);
    return row === undefined ? undefined : this.state(row);
  }

  keyAt(row: number): EntityKey | undefined {
    const name = this.names.nameAt(row);
    return name && entityKey(this.#types[name[0]!] ?? '', name.toString('utf8', 2));
  }

  get mostKeyBytes(): number {
    return Math.max(0, ...this.#types.map(({ length }) => length)) + 1 + MAX_ID_BYTES;
  }

  /** Writes the UTF-8 of a row's key, without an object for it, and returns its end: `at` where the row has no entity. */
  writeKey(row: number, into: Buffer, at: number): number {
    if (!this.names.has(row)) return at;
    const to = writeId(into, at, this.#types[this.names.firstByte(row)] ?? '', 0);
    into[to] = COLON;
    return this.names.copy(row, into, to + 1, 2);
  }

  state(row: number): EntityState {
    const [states, at] = [this.#states, STATE_NUMBERS * row];
    const [firstSeen, lastSeen] = [states.get(at + FIRST_SEEN), states.get(at + LAST_SEEN)];
    return { row, updates: states.get(at), firstSeen, lastSeen };
  }

  /** Copies what a commit writes: the states of touched rows and of a part of all, and names that came or went since the last call. */
  pack(touched: Iterable<number>, part: TurnPart): PackedEntities {
    const sorted = Int32Array.from(touched).sort();
    let count = 0;
    for (const row of sorted) if (this.names.has(row)) sorted[count++] = row;
    const rows = sorted.slice(0, count);
    const states = new Float64Array(STATE_NUMBERS * (count + part.to - part.from));
    let at = 0;
    const copy = (row: number) => {
      for (let n = 0; n < STATE_NUMBERS; n++) states[at++] = this.#states.get(STATE_NUMBERS * row + n);
    };
    for (const row of rows) copy(row);
    for (let row = part.from; row < part.to; row++) copy(row);
    const pages = [...this.#pages].map((page) => ({ page, names: this.#namesOf(page) }));
    this.#pages.clear();
    return { rows, ...part, states, pages };
  }

  /** The rows of all entities by their names: by type, then the shorter id first, then by bytes of UTF-8. */
  sorted(): Int32Array {
    const rows = new Int32Array(this.size);
    let count = 0;
    for (let row = 0; row < this.#nextRow; row++) if (this.names.has(row)) rows[count++] = row;
    return rows.sort((a, b) => this.names.compare(a, b));
  }

  /** Entities by type. */
  counts(): Record<string, number> {
    const counted = this.#types.map((type, i) => [type, this.#live[i] ?? 0] as const);
    return Object.fromEntries(counted.filter(([, count]) => count > 0));
  }

  /** Loads a stored entity, whose name is in `bytes` from `start` to before `end`. Gives -1, or the row that has the name: then nothing is loaded. */
  restore(bytes: Uint8Array, start: number, end: number, state: EntityState): number {
    const other = this.#put(bytes, start, end, state);
    if (other < 0) this.#nextRow = Math.max(this.#nextRow, state.row + 1);
    return other;
  }

  /** Loads an entity under its key; what was there of it is forgotten. */
  put(key: EntityKey, state: EntityState): void {
    this.remove(key);
    this.restore(this.#name, 0, this.#write(key), state);
  }

  /** Loads the states of those rows that have an entity. */
  restate({ rows, from, to, states }: EntityStates): void {
    for (let i = 0; i < rows.length + to - from; i++) {
      const row = rows[i] ?? from + i - rows.length;
      if (!this.names.has(row)) continue;
      for (let n = 0; n < STATE_NUMBERS; n++)
        this.#states.set(STATE_NUMBERS * row + n, states[STATE_NUMBERS * i + n]!);
    }
  }

  /** Notes that the names of the index are as stored. */
  stored(): void {
    this.#pages.clear();
  }

  /** Gives a new entity the lowest free row, or else the next row. */
  add(key: EntityKey, at: number): number {
    const again = this.freeRows > 0 ? this.free.take((row) => this.names.has(row)) : undefined;
    const row = again ?? this.#nextRow++;
    this.#put(this.#name, 0, this.#write(key), { row, updates: 0, firstSeen: at, lastSeen: at });
    return row;
  }

  /** Notes that an event of time `at` named the entity, and whether an edge of it is trained. It makes no object. */
  saw(row: number, at: number, isTrained: boolean): void {
    if (!this.names.has(row)) return;
    const [states, first] = [this.#states, STATE_NUMBERS * row];
    if (isTrained) states.set(first, states.get(first) + 1);
    if (at < states.get(first + FIRST_SEEN)) states.set(first + FIRST_SEEN, at);
    if (at > states.get(first + LAST_SEEN)) states.set(first + LAST_SEEN, at);
  }

  /** Makes an entity that an erasure left (it has newer edges) look new. */
  reset(row: number, at: number): void {
    if (!this.names.has(row)) return;
    this.#set({ row, updates: 0, firstSeen: at, lastSeen: at });
  }

  remove(key: EntityKey): void {
    const row = this.find(key);
    if (row === undefined) return;
    this.names.remove(row);
    this.#pages.add(Math.floor(row / PAGE_ROWS));
    this.#live[this.#name[0]!]! -= 1;
    this.free.leave(row);
  }

  #namesOf(page: number): Uint8Array {
    const rows = Int32Array.from({ length: PAGE_ROWS }, (_, i) => PAGE_ROWS * page + i);
    const names = new Uint8Array(PAGE_ROWS + this.names.bytesOf(rows)).fill(NO_NAME);
    let [at, end] = [0, 0];
    for (const row of rows) {
      if (this.names.has(row)) end = at = this.names.copy(row, names, at);
      else at++;
    }
    return names.subarray(0, end);
  }

  #put(name: Uint8Array, start: number, end: number, state: EntityState): number {
    const other = this.names.add(name, start, end, state.row);
    if (other >= 0) return other;
    this.#pages.add(Math.floor(state.row / PAGE_ROWS));
    this.#set(state);
    this.#live[name[start]!]! += 1;
    return other;
  }

  #set({ row, updates, firstSeen, lastSeen }: EntityState): void {
    const at = STATE_NUMBERS * row;
    this.#states.set(at, updates);
    this.#states.set(at + FIRST_SEEN, firstSeen);
    this.#states.set(at + LAST_SEEN, lastSeen);
  }

  /** Writes the key's name into the scratch bytes, and returns its end. */
  #write(key: EntityKey): number {
    const name = this.#name;
    const type = this.#typeOf(key);
    const end = writeId(name, 2, key, this.#types[type]!.length + 1);
    name[0] = type;
    name[1] = end - 3;
    return end;
  }

  /** Index of the key's type; a new type is added. */
  #typeOf(key: EntityKey): number {
    for (let i = 0; i < this.#types.length; i++) if (isOfType(key, this.#types[i]!)) return i;
    this.#live.push(0);
    return this.#types.push(key.slice(0, key.indexOf(':'))) - 1;
  }
}

/** The `i`th of packed states. */
export function stateOf({ states }: EntityStates, i: number): Omit<EntityState, 'row'> {
  const at = STATE_NUMBERS * i;
  return { updates: states[at]!, firstSeen: states[at + 1]!, lastSeen: states[at + 2]! };
}

/**
 * The rows of erased entities that may be used again. A row is free once two commits are cut: the commit that freed the
 * row and the next one. By then the first commit is written. Which rows are free follows from the store and from
 * the rows that its last commit freed: a restarted process hands out the same rows. Free rows are not listed; a row is
 * free when no entity has it.
 */
class FreeRows {
  readonly #first: number;
  /** Freed since the last commit was cut. */
  #leaving = new Set<number>();
  /** Freed by the last commit. */
  #freed: ReadonlySet<number>;
  /** No row below is free. */
  #lowest: number;

  /** first: the first row of entities; freed: the rows that the last commit freed. */
  constructor(first: number, freed: readonly number[]) {
    this.#first = first;
    this.#lowest = first;
    this.#freed = new Set(freed);
  }

  /** The rows that the last commit of records freed; no entity may have them yet. */
  get freed(): number[] {
    return [...this.#freed];
  }

  /** The number of free rows. next: the first row never in use; owned: the number of rows that entities have. */
  count(next: number, owned: number): number {
    return next - this.#first - owned - this.#leaving.size - this.#freed.size;
  }

  /** The lowest free row; there must be one. */
  take(isOwned: (row: number) => boolean): number {
    let row = this.#lowest;
    while (isOwned(row) || this.#leaving.has(row) || this.#freed.has(row)) row++;
    this.#lowest = row + 1;
    return row;
  }

  /** Notes that the entity of the row is gone. */
  leave(row: number): void {
    this.#leaving.add(row);
  }

  /** Notes that a commit of records is cut: the rows that the previous commit freed may now be used again. */
  cut(): void {
    for (const row of this.#freed) this.#lowest = Math.min(this.#lowest, row);
    this.#freed = this.#leaving;
    this.#leaving = new Set();
  }
}
