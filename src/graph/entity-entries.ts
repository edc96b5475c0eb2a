import { FatalError, MAKE_AGAIN } from '../errors/errors.ts';
import { type EntityKey, typeOf } from './entity.ts';
import {
  type EntityIndex,
  type EntityStates,
  NO_NAME,
  type PackedEntities,
  STATE_NUMBERS,
  stateOf,
  type TurnPart,
} from './entity-index.ts';
import { asBuffer, damaged, type EntityState, type Layout, PAGE_ROWS } from './layout.ts';
import type { Store } from './store.ts';
import { endsSlice, nextTurn } from './turns.ts';
import type { WriteBatch } from './write-batch.ts';

/** Of an entity whose state was not read yet. */
const NO_STATE = { updates: 0, firstSeen: Number.NaN, lastSeen: Number.NaN };
/** Fewest rows of a commit's part of the turn: a graph of two millions has its turn in 8,000 small commits. */
const LEAST_ROWS = 256;
const HEADER_BYTES = 16;

/** An entry of states, and where its part of the turn ends. */
interface Kept extends Pick<TurnPart, 'turn' | 'to'> {
  readonly number: number;
}

/**
 * The entries that hold a store's entities. Names are by row, {@link PAGE_ROWS} to an entry, written where one comes or goes. States
 * change with each event: a commit writes those that changed as one entry. It has as many others with it, all rows in turn, so that
 * an entry whose rows all came again is deleted. Of a row's states the newest counts.
 */
export class EntityEntries {
  readonly #store: Store;
  readonly #layout: Layout;
  /** Where the next part of the turn begins. */
  #turn = 0;
  #at = 0;
  /** Entries of states that are stored, oldest first; undefined until they were read. */
  #kept: Kept[] | undefined;

  constructor(store: Store, layout: Layout) {
    this.#store = store;
    this.#layout = layout;
  }

  /**
   * Restores every entity into an index that has none. first, rows: an entity's lowest row, and the first beyond the highest. tell:
   * told of what is damaged, which is thrown unless it is given.
   */
  async load(index: EntityIndex, first: number, rows: number, tell = refuseDamage): Promise<void> {
    const layout = this.#layout;
    let count = 0;
    for await (const run of this.#store.runs(layout.prefixes.names)) {
      for (const { key, value } of run) {
        const places = readable('names', key, tell, () => namesIn(layout, key, value)) ?? [];
        for (const { row, start, end } of places) {
          const name = () => `${layout.entityOf(value, start)} on row ${row}`;
          if (row < first || row >= rows) tell(`${name()}; entities have rows ${first} to ${rows - 1}`);
          else if (index.restore(value, start, end, { row, ...NO_STATE }) >= 0)
            tell(`${name()}, and on another`);
        }
        if (endsSlice(PAGE_ROWS * count++)) await nextTurn();
      }
    }
    index.stored();
    await this.open(tell, index);
    for (let row = first; row < index.nextRow; row++) {
      const { firstSeen, lastSeen } = index.state(row);
      if (index.names.has(row) && !(firstSeen <= lastSeen && Number.isFinite(lastSeen - firstSeen)))
        tell(`${index.keyAt(row)} has no possible state: seen from ${firstSeen} to ${lastSeen}`);
    }
  }

  /** Reads the states, into the index if there is one. Before the first `put`. tell: as in `load`. */
  async open(tell = refuseDamage, index?: EntityIndex): Promise<void> {
    if (index === undefined && this.#kept !== undefined) return;
    const kept: Kept[] = [];
    let last: TurnPart = { turn: 0, from: 0, to: 0 };
    for await (const { key, value } of this.#store.scan(this.#layout.prefixes.states)) {
      const states = readable('states', key, tell, () => {
        return { number: this.#layout.numberOf(key), ...decodeStates(value) };
      });
      if (states === undefined) continue;
      last = states;
      index?.restate(states);
      kept.push({ number: states.number, turn: states.turn, to: states.to });
    }
    // Whoever reads beside commits knows less than they do.
    if (this.#kept !== undefined) return;
    this.#kept = kept;
    this.#turn = last.turn;
    this.#at = last.to;
  }

  /** What is kept of an entity, without an index: reads names until it is found, and all states. */
  async find(entity: EntityKey): Promise<EntityState | undefined> {
    const layout = this.#layout;
    if (layout.typeIndex(typeOf(entity)) === undefined) return undefined;
    const name = layout.prefixes.edgesOut(entity).subarray(1);
    let found: EntityState | undefined;
    for await (const { key, value } of this.#store.scan(layout.prefixes.names)) {
      if (!asBuffer(value).includes(name)) continue;
      const place = namesIn(layout, key, value).find(({ start }) => layout.entityOf(value, start) === entity);
      if (place === undefined) continue;
      const { row } = place;
      for await (const entry of this.#store.scan(layout.prefixes.states)) {
        const states = decodeStates(entry.value);
        const { rows, from, to } = states;
        const i = row >= from && row < to ? rows.length + row - from : rows.indexOf(row);
        if (i >= 0) found = { row, ...stateOf(states, i) };
      }
      if (found === undefined) refuseDamage(`${entity} has no state`);
      break;
    }
    return found;
  }

  /** The entity of each row; undefined where there is none. */
  async keysAt(rows: readonly number[]): Promise<(EntityKey | undefined)[]> {
    const layout = this.#layout;
    const pages = new Set(rows.map((row) => Math.floor(row / PAGE_ROWS)));
    const keys = [...pages].map((page) => layout.namesKey(page));
    const found = new Map<number, EntityKey>();
    for (const [i, names = new Uint8Array()] of (await this.#store.getMany(keys)).entries())
      for (const { row, start } of namesIn(layout, keys[i]!, names))
        found.set(row, layout.entityOf(names, start));
    return rows.map((row) => found.get(row));
  }

  /** The part of the turn that a commit writes beside the states of `touched` rows. rows: those ever in use. */
  next(touched: number, rows: number): TurnPart {
    if (touched > 0 && this.#at >= rows) {
      this.#turn++;
      this.#at = 0;
    }
    const from = this.#at;
    if (touched > 0) this.#at = Math.min(rows, from + Math.max(touched, LEAST_ROWS));
    return { turn: this.#turn, from, to: this.#at };
  }

  /** Puts what a commit changed, once the states were read; parts come in the order in which `next` gave them. */
  put(batch: WriteBatch, { pages, ...states }: PackedEntities): void {
    const [layout, kept] = [this.#layout, this.#kept!];
    for (const { page, names } of pages) {
      if (names.length > 0) batch.put(layout.namesKey(page), names);
      else batch.delete(layout.namesKey(page));
    }
    if (states.states.length === 0) return;
    const { turn, to } = states;
    const number = (kept.at(-1)?.number ?? -1) + 1;
    batch.put(layout.statesKey(number), encodeStates(states));
    kept.push({ number, turn, to });
    // All rows that there were came since, in the rest of its turn and in the next one.
    const isOver = (of: Kept) => turn > of.turn + 1 || (turn === of.turn + 1 && to >= of.to);
    while (isOver(kept[0]!)) batch.delete(layout.statesKey(kept.shift()!.number));
  }
}

/** @throws FatalError `store-damaged` */
export function refuseDamage(what: string): void {
  throw new FatalError('store-damaged', `an entry of entities is damaged: ${what}; ${MAKE_AGAIN}`);
}

/** What is read from an entry; undefined, and told, where it is damaged. */
function readable<T>(
  what: string,
  key: Uint8Array,
  tell: (what: string) => void,
  read: () => T,
): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FatalError)) throw error;
    tell(`${what} ${asBuffer(key).toString('hex')}: ${error.message}`);
    return undefined;
  }
}

/** Where each name of a page begins and ends, and of which row it is. @throws FatalError for one that can't be read. */
export function namesIn(
  layout: Layout,
  key: Uint8Array,
  names: Uint8Array,
): { row: number; start: number; end: number }[] {
  const found = [];
  const first = PAGE_ROWS * layout.numberOf(key);
  for (let row = first, start = 0; start < names.length; row++) {
    const isNone = names[start] === NO_NAME;
    const end = isNone ? start + 1 : start + 3 + (names[start + 1] ?? 0);
    if (
      row - first === PAGE_ROWS ||
      end > names.length ||
      !(isNone || names[start]! < layout.entityTypes.length)
    )
      throw damaged('page of names', names);
    if (!isNone) found.push({ row, start, end });
    start = end;
  }
  return found;
}

/** As in `Layout`. */
function encodeStates({ rows, turn, from, to, states }: EntityStates): Buffer {
  const header = Uint32Array.of(turn, from, to, rows.length);
  return Buffer.concat(
    [header, states, rows].map((of) => new Uint8Array(of.buffer, of.byteOffset, of.byteLength)),
  );
}

/** @throws FatalError `store-damaged` */
export function decodeStates(value: Uint8Array): EntityStates {
  // Numbers of eight bytes must not begin in between.
  const bytes = new Uint8Array(value);
  if (bytes.length < HEADER_BYTES) throw damaged('entry of states', value);
  const [turn, from, to, count] = new Uint32Array(bytes.buffer, 0, HEADER_BYTES / 4);
  const numbers = STATE_NUMBERS * (count! + to! - from!);
  if (to! < from! || bytes.length !== HEADER_BYTES + 8 * numbers + 4 * count!)
    throw damaged('entry of states', value);
  return {
    ...{ turn: turn!, from: from!, to: to! },
    states: new Float64Array(bytes.buffer, HEADER_BYTES, numbers),
    rows: new Int32Array(bytes.buffer, HEADER_BYTES + 8 * numbers, count),
  };
}
